//! Sends commands to a server over its Unix socket, in RESP 2.

use crate::{resp::reply::Reply, wait::PATIENCE};
use std::{io, path::Path, pin::Pin, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::{sleep, timeout},
};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The server refused the command. Contains the server's error message.
    #[error("{0}")]
    Refused(String),
    /// The server cannot be reached, or the connection broke before the answer.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// A connection to a server.
pub struct Connection(BufReader<UnixStream>);

impl Connection {
    pub(crate) async fn open(socket: &Path) -> io::Result<Self> {
        Ok(Self(BufReader::new(UnixStream::connect(socket).await?)))
    }

    /// Sends a command and waits for its answer. Fails after a minute without an answer.
    pub async fn command(&mut self, words: &[&str]) -> Result<Reply, CommandError> {
        let parts: Vec<_> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        self.send(format!("*{}\r\n{}", words.len(), parts.concat()).as_bytes()).await?;
        self.reply().await
    }

    /// Sends bytes that are already encoded.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes).await
    }

    /// Waits for the next answer. Fails after a minute without one.
    pub async fn reply(&mut self) -> Result<Reply, CommandError> {
        timeout(PATIENCE, self.read()).await.map_err(io::Error::from)?
    }

    /// The number of other clients that are connected to the server.
    pub async fn others(&mut self) -> usize {
        let info = self.command(&["INFO", "clients"]).await.map(Reply::text).unwrap_or_default();
        let all = info.lines().find_map(|line| line.strip_prefix("connected_clients:")).and_then(|all| all.trim().parse::<usize>().ok());
        all.unwrap_or_else(|| panic!("INFO contains no number of clients: {info}")) - 1
    }

    /// Waits until no other client is connected to the server.
    pub async fn left_alone(&mut self) {
        let alone = async {
            while self.others().await > 0 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, alone).await.expect("all other clients leave the server");
    }

    fn read(&mut self) -> Pin<Box<dyn Future<Output = Result<Reply, CommandError>> + Send + '_>> {
        Box::pin(async {
            let mut line = String::new();
            self.0.read_line(&mut line).await?;
            let line = line.strip_suffix("\r\n").ok_or(io::ErrorKind::UnexpectedEof).map_err(io::Error::from)?;
            let (kind, rest) = line.split_at(1);
            Ok(match (kind, rest) {
                ("+", _) => Reply::Text(rest.into()),
                ("-", _) => return Err(CommandError::Refused(rest.into())),
                (":", _) => Reply::Number(number(rest)?),
                ("$" | "*", "-1") => Reply::Nil,
                ("$", _) => {
                    let mut text = vec![0; number::<usize>(rest)? + 2];
                    self.0.read_exact(&mut text).await?;
                    text.truncate(text.len() - 2);
                    Reply::Text(String::from_utf8_lossy(&text).into_owned())
                }
                ("*", _) => {
                    let mut list = Vec::new();
                    for _ in 0..number(rest)? {
                        list.push(self.read().await?);
                    }
                    Reply::List(list)
                }
                _ => return Err(io::Error::other(format!("this is not RESP 2: {line}")).into()),
            })
        })
    }
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| io::Error::other(format!("this is not a number: {text}")))
}
