//! A fake gateway node that a test controls.

use crate::link::{Hello, NODE_HEADER, ToGateway};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// Longest wait of a test for something that must happen.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct FakeNode {
    address: std::net::SocketAddr,
    links: mpsc::Receiver<FakeLink>,
    without_hello: mpsc::Receiver<()>,
    listening: JoinHandle<()>,
}

pub(super) struct FakeLink {
    pub(super) hello: Hello,
    pub(super) authorization: String,
    socket: WebSocketStream<TcpStream>,
}

impl FakeNode {
    pub(super) async fn start(name: &'static str) -> Self {
        Self::start_with_peers(name, Vec::new()).await
    }

    /// Welcomes every link. The test gets the links from `accept`.
    pub(super) async fn start_with_peers(name: &'static str, peers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (welcomed, links) = mpsc::channel(16);
        let (silent, without_hello) = mpsc::channel(16);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let received = match welcome_link(stream, name, &peers).await {
                    Some(link) => welcomed.send(link).await.is_ok(),
                    None => silent.send(()).await.is_ok(),
                };
                if !received {
                    return;
                }
            }
        });
        Self { address, links, without_hello, listening }
    }

    pub(super) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub(super) async fn accept(&mut self) -> FakeLink {
        timeout(TIMEOUT, self.links.recv()).await.expect("a link in time").expect("listening")
    }

    /// Waits until a client has connected and closed the connection without a hello.
    pub(super) async fn closed_without_hello(&mut self) {
        timeout(TIMEOUT, self.without_hello.recv()).await.expect("a connection in time").expect("listening");
    }

    pub(super) fn stop(&self) {
        self.listening.abort();
    }
}

async fn welcome_link(stream: TcpStream, name: &'static str, peers: &[String]) -> Option<FakeLink> {
    let mut authorization = String::new();
    #[expect(clippy::result_large_err, reason = "the signature is the library's")]
    let header = |request: &Request, mut response: Response| {
        assert_eq!(request.uri().path(), "/v1/services/chatbot/link");
        response.headers_mut().insert(NODE_HEADER, HeaderValue::from_static(name));
        authorization = request.headers()["authorization"].to_str().unwrap_or_default().to_owned();
        Ok(response)
    };
    let mut socket = accept_hdr_async(stream, header).await.ok()?;
    let Some(Ok(Message::Text(text))) = socket.next().await else { return None };
    let Ok(ToGateway::Hello(hello)) = serde_json::from_str(text.as_str()) else { return None };
    let limits = json!({"message_size": 65536, "publishes_in_flight": 8, "heartbeat": 1});
    let welcome = json!({"welcome": {"node": name, "peers": peers, "limits": limits}});
    socket.send(Message::text(welcome.to_string())).await.ok()?;
    Some(FakeLink { hello, authorization, socket })
}

impl FakeLink {
    pub(super) async fn send(&mut self, text: &str) {
        // The client may close the link before it has read a large message to its end.
        let _closed = self.socket.send(Message::text(text)).await;
    }

    pub(super) async fn send_binary(&mut self) {
        self.socket.send(Message::binary(vec![1, 2, 3])).await.expect("sent");
    }

    pub(super) async fn call(&mut self, id: u64, method: &str) {
        let call = json!({"id": id, "method": method, "data": {"n": id}, "user": "alice", "connection": "c", "deadline_ms": 5000});
        self.send(&json!({ "call": call }).to_string()).await;
    }

    pub(super) async fn ack(&mut self, id: u64, offset: u64) {
        self.send(&json!({"ack": {"id": id, "epoch": "e", "offset": offset}}).to_string()).await;
    }

    pub(super) async fn nack(&mut self, id: u64, code: &str) {
        let error = json!({"code": code, "message": "", "retryable": true});
        self.send(&json!({"nack": {"id": id, "error": error}}).to_string()).await;
    }

    /// The next frame from the client.
    pub(super) async fn frame(&mut self) -> ToGateway {
        loop {
            let message = timeout(TIMEOUT, self.socket.next()).await.expect("a frame in time").expect("open").expect("readable");
            if let Message::Text(text) = message {
                return serde_json::from_str(text.as_str()).expect("a frame of the protocol");
            }
        }
    }

    /// Waits until the client has closed the link.
    pub(super) async fn closed(&mut self) {
        while let Some(Ok(message)) = timeout(TIMEOUT, self.socket.next()).await.expect("closed in time") {
            assert!(!message.is_text(), "nothing more was expected: {message}");
        }
    }
}
