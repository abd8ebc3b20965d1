//! A client of the frontend protocol.

use crate::form::{Form, Translator};
use futures_util::{SinkExt as _, StreamExt as _};
use shared_proto::frontend::{Connect, Frame, Method};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    time::{timeout, timeout_at},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

/// Time limit for connecting, and for each command.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A connection without a frame for the ping interval and this time counts as dead.
const PING_GRACE: Duration = Duration::from_secs(3);

/// One connection.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    translator: Translator,
    frames: VecDeque<Frame>,
    next: u32,
    silence: Duration,
}

/// Why a connection ended or failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// The server closed it with a close code.
    #[error("the server closed with {0}: {1}")]
    Closed(u16, String),
    /// The network failed, or no server answered.
    #[error("the connection broke")]
    Broken,
    /// The server violated the protocol.
    #[error("the server sent an invalid frame: {0}")]
    Malformed(String),
}

impl Ended {
    /// Whether the official SDKs would not reconnect.
    pub(crate) fn is_for_good(&self) -> bool {
        matches!(self, Self::Closed(3500..=3999 | 4500..=4999, _) | Self::Malformed(_))
    }
}

impl Client {
    /// Connects, and waits for the reply to the connect command.
    pub(crate) async fn connect(server: SocketAddr, form: Form) -> Result<Self, Ended> {
        let opened = timeout(TIMEOUT, async {
            let stream = TcpStream::connect(server).await.map_err(|_| Ended::Broken)?;
            stream.set_nodelay(true).map_err(|_| Ended::Broken)?;
            let url = format!("ws://{server}/connection/websocket{}", form.query());
            // A draining node refuses the upgrade.
            tokio_tungstenite::client_async(url, stream).await.map_err(|_| Ended::Broken)
        });
        let (socket, _) = opened.await.map_err(|_| Ended::Broken)??;
        let mut client = Self { socket, translator: Translator::new(form), frames: VecDeque::new(), next: 1, silence: TIMEOUT };
        client.send(Method::Connect(Connect::default())).await?;
        let answer = timeout(TIMEOUT, client.next()).await.map_err(|_| Ended::Broken)??;
        let Some(connected) = answer.connect else { return Err(Ended::Broken) };
        client.silence = Duration::from_secs(connected.ping.into()) + PING_GRACE;
        Ok(client)
    }

    /// Sends a command. Returns its id.
    pub(crate) async fn send(&mut self, method: Method) -> Result<u32, Ended> {
        let id = self.next;
        self.next += 1;
        let command = self.translator.command(id, method);
        self.send_message(command).await?;
        Ok(id)
    }

    async fn send_message(&mut self, message: Message) -> Result<(), Ended> {
        match timeout(TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Ended::Broken),
        }
    }

    /// Returns the next frame that is not a ping. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Frame, Ended> {
        loop {
            while let Some(frame) = self.frames.pop_front() {
                if !frame.is_ping() {
                    return Ok(frame);
                }
                let pong = self.translator.pong();
                self.send_message(pong).await?;
            }
            let silent = tokio::time::Instant::from_std(Instant::now() + self.silence);
            match timeout_at(silent, self.socket.next()).await {
                Ok(Some(Ok(message @ (Message::Text(_) | Message::Binary(_))))) => {
                    self.frames.extend(self.translator.frames(&message).map_err(Ended::Malformed)?);
                }
                Ok(Some(Ok(Message::Close(Some(close))))) => return Err(Ended::Closed(close.code.into(), close.reason.to_string())),
                Ok(Some(Ok(Message::Close(None)) | Err(_)) | None) | Err(_) => return Err(Ended::Broken),
                Ok(Some(Ok(_))) => {}
            }
        }
    }
}
