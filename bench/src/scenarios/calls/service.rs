//! The service that answers the calls: as cheap as possible, on the generator's thread.

use crate::{client::Client, result::Result, server::Server};
use std::{net::SocketAddr, rc::Rc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, spawn_local},
};

/// Bytes of one read.
const READ_SIZE: usize = 256 * 1024;
/// Credit of the link: more than there are calls in flight.
const CREDIT: u32 = 10_000;

/// A running service. Dropping this stops it.
pub(super) struct Running {
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
        let mut link = Client::open(server.public, "/link", 0, None).await?;
        let task = spawn_local(async move {
            let mut answers = Vec::new();
            while link.read(READ_SIZE, |_, frame| link_answer(&mut answers, frame, |frame, out| out.extend_from_slice(frame))).await.is_ok()
            {
                if link.send_all(&mut answers).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self { task, address: None })
    }

    /// Answers each call of a link with this many bytes of data.
    pub(super) async fn link(server: &Server, data_size: usize) -> Result<Self> {
        let mut link = Client::open_authorized(server.internal, "/v1/services/chatbot/link").await?;
        link.send(&format!(r#"{{"hello":{{"service":"chatbot","instance":"bench","credit":{CREDIT}}}}}"#)).await?;
        link.expect("welcome").await?;
        let data = "x".repeat(data_size - 2);
        let task = spawn_local(async move {
            let (mut answers, mut calls) = (Vec::new(), 0);
            let answer = |frame: &[u8], out: &mut Vec<u8>, calls: &mut u32| {
                let Some(id) = frame.strip_prefix(br#"{"call":{"id":"#) else { return };
                let id: Vec<u8> = id.iter().copied().take_while(u8::is_ascii_digit).collect();
                out.extend_from_slice(br#"{"reply":{"id":"#);
                out.extend_from_slice(&id);
                out.extend_from_slice(format!(r#","data":"{data}"}}}}"#).as_bytes());
                *calls += 1;
            };
            while link
                .read(READ_SIZE, |_, frame| link_answer(&mut answers, frame, |frame, out| answer(frame, out, &mut calls)))
                .await
                .is_ok()
            {
                if calls > 0 {
                    answers.push(format!(r#"{{"credit":{{"n":{calls}}}}}"#).into_bytes());
                    calls = 0;
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
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let data = "x".repeat(data_size - 2);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {data_size}\r\n\r\n");
        let answer: Rc<[u8]> = format!("{head}\"{data}\"").into_bytes().into();
        let task = spawn_local(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn_local(serve(stream, answer.clone()));
            }
        });
        Ok(Self { task, address: Some(address) })
    }

    /// The URL of a webhook.
    pub(super) fn url(&self) -> String {
        self.address.map(|address| format!("http://{address}/")).unwrap_or_default()
    }
}

/// Adds the answer to a frame, if it has one.
fn link_answer(answers: &mut Vec<Vec<u8>>, frame: &[u8], answer: impl FnOnce(&[u8], &mut Vec<u8>)) {
    let mut out = Vec::with_capacity(256);
    answer(frame, &mut out);
    if !out.is_empty() {
        answers.push(out);
    }
}

/// Answers the requests of one connection, which are not pipelined.
async fn serve(mut stream: TcpStream, answer: Rc<[u8]>) {
    let mut received = Vec::with_capacity(2048);
    let _ = stream.set_nodelay(true);
    while stream.read_buf(&mut received).await.is_ok_and(|count| count > 0) {
        let Some(head) = memchr::memmem::find(&received, b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok()).unwrap_or_default();
        if received.len() < head + 4 + length {
            continue;
        }
        received.clear();
        if stream.write_all(&answer).await.is_err() {
            break;
        }
    }
}
