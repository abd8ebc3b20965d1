//! The service that answers the calls: as cheap as possible, on the generator's thread.

use crate::{client::Client, probe::set_realtime_priority, result::Result, server::Server};
use std::{net::SocketAddr, rc::Rc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, spawn_local},
};

/// Bytes of one read.
const READ_SIZE: usize = 256 * 1024;
/// Credit of the link: more than there are calls in flight.
const CREDIT: u32 = 60_000;

/// A running service. Dropping this stops it.
pub(in super::super) struct Running {
    task: JoinHandle<()>,
    /// The address of a webhook.
    address: Option<SocketAddr>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    /// Sends each frame of the relay back.
    pub(super) async fn bare(server: &Server) -> Result<Self> {
        let mut link = Client::open(&server.endpoint, "/link", 0, None).await?;
        let task = spawn_local(async move {
            let mut answers = Vec::new();
            while link.read(READ_SIZE, |_, frame| answers.push(frame.to_vec())).await.is_ok() {
                if link.send_all(&mut answers).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self { task, address: None })
    }

    /// Opens a link of a service. `answer` gets each frame of a call, and returns the data of the reply.
    pub(in super::super) async fn link(
        server: &Server,
        name: &str,
        mut answer: impl FnMut(&[u8]) -> Option<String> + 'static,
    ) -> Result<Self> {
        let mut link = Client::open_authorized(server.internal, &format!("/v1/services/{name}/link")).await?;
        link.send(&format!(r#"{{"hello":{{"service":"{name}","instance":"bench","credit":{CREDIT}}}}}"#)).await?;
        link.expect("welcome").await?;
        let task = spawn_local(async move {
            let mut answers = Vec::new();
            let mut handle = |answers: &mut Vec<Vec<u8>>, frame: &[u8]| {
                let Some(id) = frame.strip_prefix(br#"{"call":{"id":"#) else { return };
                let id: String = id.iter().take_while(|byte| byte.is_ascii_digit()).map(|byte| char::from(*byte)).collect();
                if let Some(data) = answer(frame) {
                    answers.push(format!(r#"{{"reply":{{"id":{id},"data":{data}}}}}"#).into_bytes());
                }
            };
            while link.read(READ_SIZE, |_, frame| handle(&mut answers, frame)).await.is_ok() {
                if !answers.is_empty() {
                    answers.push(format!(r#"{{"credit":{{"n":{}}}}}"#, answers.len()).into_bytes());
                }
                if link.send_all(&mut answers).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self { task, address: None })
    }

    /// Answers each POST with this many bytes of JSON.
    pub(super) async fn webhook(data_size: usize) -> Result<Self> {
        let data = "x".repeat(data_size - 2);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {data_size}\r\n\r\n");
        let answer: Rc<[u8]> = format!("{head}\"{data}\"").into_bytes().into();
        Self::webhook_with(move |_| answer.clone()).await
    }

    /// Answers each POST with the response that `answer` returns for its body.
    pub(in super::super) async fn webhook_with(answer: impl Fn(&[u8]) -> Rc<[u8]> + 'static) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let answer = Rc::new(answer);
        let task = spawn_local(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn_local(serve(stream, answer.clone()));
            }
        });
        Ok(Self { task, address: Some(address) })
    }

    /// Answers each POST with this many bytes of JSON, on a thread of its own with real-time priority, as long as the process runs. Returns the URL.
    pub(in super::super) fn webhook_on_thread(data_size: usize) -> Result<String> {
        let (report, reported) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            set_realtime_priority();
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            let serve = async {
                if let Ok(running) = Self::webhook(data_size).await {
                    let _ = report.send(running.url());
                    std::future::pending::<()>().await;
                }
            };
            tokio::task::LocalSet::new().block_on(&runtime, serve);
        });
        reported.recv().map_err(|_| "the webhook did not start".into())
    }

    /// The URL of a webhook.
    pub(in super::super) fn url(&self) -> String {
        self.address.map(|address| format!("http://{address}/")).unwrap_or_default()
    }
}

/// A function that answers each call with this many bytes of JSON.
pub(in super::super) fn echo(size: usize) -> impl FnMut(&[u8]) -> Option<String> {
    let data = format!(r#""{}""#, "x".repeat(size - 2));
    move |_| Some(data.clone())
}

/// Answers the requests of one connection, which are not pipelined.
async fn serve(mut stream: TcpStream, answer: Rc<impl Fn(&[u8]) -> Rc<[u8]>>) {
    let mut received = Vec::with_capacity(2048);
    let _ = stream.set_nodelay(true);
    while stream.read_buf(&mut received).await.is_ok_and(|count| count > 0) {
        let Some(head) = memchr::memmem::find(&received, b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok()).unwrap_or_default();
        if received.len() < head + 4 + length {
            continue;
        }
        let response = answer(&received[head + 4..head + 4 + length]);
        received.clear();
        if stream.write_all(&response).await.is_err() {
            break;
        }
    }
}
