//! One connection of a client.

use super::{
    ended::Ended,
    form::{Form, Translator},
    stream::{Framing, SdkStream},
};
use crate::world::World;
use futures_util::{SinkExt as _, StreamExt as _};
use shared_proto::frontend::{Connect, Frame, Method};
use std::{
    collections::VecDeque,
    sync::Arc,
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

/// What carries the messages of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    /// A response without an end, and requests with the commands.
    Stream(Framing),
}

/// One connection.
pub(crate) struct Client {
    wire: Wire,
    translator: Translator,
    frames: VecDeque<Frame>,
    next: u32,
    silence: Duration,
    id: String,
}

enum Wire {
    WebSocket(Box<WebSocketStream<TcpStream>>),
    Stream(Box<SdkStream>),
}

impl Client {
    /// Connects to any node without a token, and waits for the reply to the connect command.
    pub(crate) async fn connect(world: &Arc<World>, transport: Transport, form: Form) -> Result<Self, Ended> {
        Self::connect_with(world, transport, form, None).await
    }

    /// Connects to any node, and waits for the reply to the connect command.
    pub(crate) async fn connect_with(world: &Arc<World>, transport: Transport, form: Form, token: Option<String>) -> Result<Self, Ended> {
        let mut translator = Translator::new(form);
        let command = translator.command(1, Method::Connect(Connect { token: token.map(Into::into), ..Connect::default() }));
        let opened = async {
            Ok(match transport {
                Transport::WebSocket => Wire::WebSocket(Box::new(open_socket(world, form, command).await?)),
                Transport::Stream(framing) => Wire::Stream(Box::new(SdkStream::open(world.clone(), framing, form.codec(), command).await?)),
            })
        };
        let wire = timeout(TIMEOUT, opened).await.map_err(|_| Ended::Broken)??;
        let mut client = Self { wire, translator, frames: VecDeque::new(), next: 2, silence: TIMEOUT, id: String::new() };
        let answer = timeout(TIMEOUT, client.next()).await.map_err(|_| Ended::Broken)??;
        let Some(connected) = answer.connect else { return Err(Ended::Broken) };
        client.id.clone_from(&connected.client);
        client.silence = Duration::from_secs(connected.ping.into()) + PING_GRACE;
        if let Wire::Stream(stream) = &mut client.wire {
            stream.connected(connected)?;
        }
        Ok(client)
    }

    /// The id of the connection.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Sends a command. Returns its id.
    pub(crate) async fn send(&mut self, method: Method) -> Result<u32, Ended> {
        let id = self.next;
        self.next += 1;
        let command = self.translator.command(id, method);
        let sent = async {
            match &mut self.wire {
                Wire::WebSocket(socket) => socket.send(command).await.map_err(|_| Ended::Broken),
                Wire::Stream(stream) => stream.post(command).await,
            }
        };
        timeout(TIMEOUT, sent).await.map_err(|_| Ended::Broken)??;
        Ok(id)
    }

    /// Returns the next frame that is not a ping. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Frame, Ended> {
        loop {
            while let Some(frame) = self.frames.pop_front() {
                if !frame.is_ping() {
                    return ended(&frame).map_or(Ok(frame), Err);
                }
                self.answer_ping().await?;
            }
            let silent = tokio::time::Instant::from_std(Instant::now() + self.silence);
            let message = match &mut self.wire {
                Wire::WebSocket(socket) => timeout_at(silent, next_of_socket(socket)).await,
                Wire::Stream(stream) => timeout_at(silent, stream.next()).await,
            };
            let message = message.map_err(|_| Ended::Broken)??;
            self.frames.extend(self.translator.frames(&message).map_err(Ended::Malformed)?);
        }
    }

    /// Answers a ping. Clients of streams do not.
    async fn answer_ping(&mut self) -> Result<(), Ended> {
        let Wire::WebSocket(socket) = &mut self.wire else { return Ok(()) };
        let sent = timeout(TIMEOUT, socket.send(self.translator.pong())).await;
        if matches!(sent, Ok(Ok(()))) { Ok(()) } else { Err(Ended::Broken) }
    }
}

/// Opens a WebSocket, and sends the connect command.
async fn open_socket(world: &World, form: Form, command: Message) -> Result<WebSocketStream<TcpStream>, Ended> {
    let server = world.any_node().public.address();
    let stream = TcpStream::connect(server).await.map_err(|_| Ended::Broken)?;
    stream.set_nodelay(true).map_err(|_| Ended::Broken)?;
    let url = format!("ws://{server}/connection/websocket{}", form.query());
    // A draining node refuses the upgrade.
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.map_err(|_| Ended::Broken)?;
    socket.send(command).await.map_err(|_| Ended::Broken)?;
    Ok(socket)
}

/// The next message with frames.
async fn next_of_socket(socket: &mut WebSocketStream<TcpStream>) -> Result<Message, Ended> {
    loop {
        match socket.next().await {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => return Ok(message),
            Some(Ok(Message::Close(Some(close)))) => return Err(Ended::Closed(close.code.into(), close.reason.to_string())),
            Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(Ended::Broken),
            Some(Ok(_)) => {}
        }
    }
}

/// The end that a frame announces, in place of a close code.
fn ended(frame: &Frame) -> Option<Ended> {
    let disconnect = frame.push.as_ref()?.disconnect.as_ref()?;
    Some(Ended::Closed(disconnect.code, disconnect.reason.clone()))
}
