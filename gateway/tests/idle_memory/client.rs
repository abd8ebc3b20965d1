//! Clients that have nothing on the heap once they are open.

use crate::gateway_thread::Addresses;
use rustls::{ClientConfig, ClientConnection, StreamOwned, client::Resumption};
use shared_proto::process::probe::trusting;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, LazyLock},
    time::Duration,
};

/// Keeps no sessions, so that clients have nothing on the heap.
static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let mut config = (*trusting(None)).clone();
    config.resumption = Resumption::disabled();
    Arc::new(config)
});

/// Connections in each channel with presence.
const ROOM: usize = 64;
/// Messages in each of these channels.
const MESSAGES: usize = 20;
/// Only a failing test waits this long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Kinds of idle connections, as `bench memory` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// No token, one subscription.
    Anonymous,
    /// A token, its personal channel, a channel with presence, and messages.
    Token,
    /// A STOMP connection without token and with heart-beats, one subscription.
    Stomp,
    /// As `Anonymous`, over TLS.
    Tls,
}

impl Idle {
    /// Opens connection number `number`, and returns it when its commands are answered. The last one of a room also publishes the room's messages.
    pub(crate) fn open(self, gateway: Addresses, number: usize) -> TcpStream {
        let (token, channel) = match self {
            Self::Anonymous | Self::Tls => (None, "open:idle".into()),
            Self::Token => (Some(token(gateway.public, number)), format!("chat:room-{}", number / ROOM)),
            Self::Stomp => return stomp(gateway),
        };
        let connect = token.map(|token| format!(r#"{{"id":1,"connect":{{"token":"{token}"}}}}"#));
        let connect = connect.unwrap_or_else(|| r#"{"id":1,"connect":{}}"#.into());
        let subscribe = format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#);
        let mut socket = connected(gateway.public);
        if self == Self::Tls {
            let tls = ClientConnection::new(TLS.clone(), gateway.public.ip().into()).expect("it can begin");
            let mut stream = StreamOwned::new(tls, socket);
            subscribed(&mut stream, gateway.public, &connect, &subscribe);
            // Only the socket stays: what the client has for TLS must not count.
            return stream.sock;
        }
        subscribed(&mut socket, gateway.public, &connect, &subscribe);
        if self == Self::Token && number % ROOM == ROOM - 1 {
            publish(gateway.internal, &channel);
        }
        socket
    }
}

fn subscribed(socket: &mut (impl Read + Write), address: SocketAddr, connect: &str, subscribe: &str) {
    upgrade(socket, address, "/connection/websocket");
    command(socket, 1, connect);
    command(socket, 2, subscribe);
}

fn stomp(gateway: Addresses) -> TcpStream {
    let mut stream = connected(gateway.public);
    let socket = &mut stream;
    upgrade(socket, gateway.public, "/stomp");
    send(socket, "CONNECT\naccept-version:1.2,1.1,1.0\nheart-beat:60000,60000\n\n\0");
    let connected = message(socket);
    assert!(connected.starts_with("CONNECTED\nversion:1.2\n"), "{connected}");
    send(socket, "SUBSCRIBE\nid:sub-0\ndestination:/topic/open:idle\nreceipt:r\n\n\0");
    let receipt = message(socket);
    assert!(receipt.starts_with("RECEIPT\n"), "{receipt}");
    stream
}

fn connected(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("the gateway listens");
    socket.set_read_timeout(Some(TIMEOUT)).expect("settable");
    socket
}

fn upgrade(socket: &mut (impl Read + Write), address: SocketAddr, path: &str) {
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).expect("it reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("it answers");
        head.extend_from_slice(&byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
}

/// Sends a text message.
fn send(socket: &mut impl Write, text: &str) {
    // Masked with the key 0, which changes nothing.
    let mut frame = match u8::try_from(text.len()) {
        Ok(length) if length < 126 => vec![0x81, 0x80 | length],
        _ => [&[0x81, 0xfe], &u16::try_from(text.len()).expect("short").to_be_bytes()[..]].concat(),
    };
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    socket.write_all(&frame).expect("it reads");
}

/// Sends a command and reads up to its reply.
fn command(socket: &mut (impl Read + Write), id: u32, text: &str) {
    send(socket, text);
    let reply = format!(r#"{{"id":{id},"#);
    loop {
        let lines = message(socket);
        if let Some(line) = lines.lines().find(|line| line.starts_with(&reply)) {
            assert!(!line.contains(r#""error""#), "{text}: {line}");
            return;
        }
    }
}

/// The next message.
fn message(socket: &mut impl Read) -> String {
    let mut head = [0; 2];
    socket.read_exact(&mut head).expect("it answers");
    assert_eq!(head[0], 0x81, "a text message in one frame");
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            socket.read_exact(&mut length).expect("it answers");
            u16::from_be_bytes(length).into()
        }
        length => {
            assert!(length < 126, "a short message");
            usize::from(length)
        }
    };
    let mut payload = vec![0; length];
    socket.read_exact(&mut payload).expect("it answers");
    String::from_utf8(payload).expect("text")
}

fn token(public: SocketAddr, number: usize) -> String {
    let answer = post(public, "/demo/token", &format!(r#"{{"user":"user-{number:04}"}}"#));
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    answer["token"].as_str().expect("a token").to_owned()
}

fn publish(internal: SocketAddr, channel: &str) {
    for message in 0..MESSAGES {
        let body = format!(r#"{{"data":{{"kind":"message","id":"{message}","text":"{}"}}}}"#, "x".repeat(80));
        post(internal, &format!("/v1/channels/{channel}/publications"), &body);
    }
}

/// Posts JSON over a connection of its own. Returns the body of the answer.
fn post(address: SocketAddr, path: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("the gateway listens");
    socket.set_read_timeout(Some(TIMEOUT)).expect("settable");
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer dev\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    answer.split_once("\r\n\r\n").expect("a head").1.to_owned()
}
