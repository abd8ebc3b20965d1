//! A target of a webhook: a small HTTP server that stops in the middle of everything.

use super::work::{self, End};
use crate::{
    queues::{life::ProcessState, plan::Service},
    tally::Count,
    world::World,
};
use serde_json::Value;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::sleep,
};

/// Pause before another attempt to listen.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

/// A request.
struct Request {
    id: String,
    body: Vec<u8>,
}

/// Listens at this address. When the future is dropped, all connections break, and the work in hand is forgotten.
pub(super) async fn run(world: Arc<World>, service: &'static Service, at: SocketAddr, mut state: ProcessState) {
    let listening = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        socket.listen(BACKLOG)
    };
    let Ok(listener): io::Result<_> = listening() else { return sleep(PAUSE).await };
    let mut connections = JoinSet::new();
    loop {
        state.thawed().await;
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve(world.clone(), service, stream, state.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers the requests of one connection until it breaks.
async fn serve(world: Arc<World>, service: &'static Service, stream: TcpStream, mut state: ProcessState) {
    let mut stream = BufReader::new(stream);
    loop {
        state.thawed().await;
        let Ok(request) = read(&mut stream).await else { return };
        state.thawed().await;
        let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(event) = message.get("event") else {
            world.tally.violation(Count::Other, 1, || format!("{}: {message} is no event", service.name));
            return;
        };
        if event["id"] != request.id {
            world.tally.violation(Count::Other, 1, || format!("{}: webhook-id is {}, but the event is {event}", service.name, request.id));
        }
        let plan = work::receive(&world, service, event);
        sleep(plan.takes).await;
        state.thawed().await;
        plan.finish(&world);
        let answer = match plan.end {
            End::Done => response("204 No Content", "", None),
            End::Failed => match rand::random_range(0..3) {
                0 => response("429 Too Many Requests", "retry-after: 0\r\n", None),
                1 => response("503 Service Unavailable", "", None),
                _ => response("500 Internal Server Error", "", Some(r#"{"code":500,"title":"not now","retryable":true}"#)),
            },
            End::Refused => response("422 Unprocessable Content", "", Some(r#"{"code":422,"title":"never","retryable":false}"#)),
            End::Unanswered => std::future::pending().await,
        };
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads a request with a length.
async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Request> {
    let (mut id, mut length, mut line) = (String::new(), 0, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line == "\r\n" {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => value.clone_into(&mut id),
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Request { id, body })
}

/// A response, with a problem document or without a body.
fn response(status: &str, headers: &str, problem: Option<&str>) -> String {
    let kind = if problem.is_some() { "content-type: application/problem+json\r\n" } else { "" };
    let length = if status.starts_with("204") { String::new() } else { format!("content-length: {}\r\n", problem.map_or(0, str::len)) };
    format!("HTTP/1.1 {status}\r\n{headers}{kind}{length}\r\n{}", problem.unwrap_or_default())
}
