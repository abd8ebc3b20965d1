//! Subscribers that speak STOMP: they subscribe from the position of their last message.

use super::{activity::Activity, pause};
use crate::{
    client::Ended,
    content,
    delivery_checker::{DeliveryChecker, View},
    ledger::Channel,
    tally::Count,
    world::World,
};
use futures_util::{SinkExt as _, StreamExt as _};
use gateway_core::model::{Epoch, Position};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

/// Time limit for connecting, and for each write.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A connection without a message for this time counts as dead. The gateway sends a heart-beat each second.
const SILENCE: Duration = Duration::from_secs(5);

/// One client and its subscriptions. The id of a subscription is its index.
pub(crate) struct StompSubscriber {
    world: Arc<World>,
    who: String,
    activity: Arc<Activity>,
    subscriptions: Vec<(String, Arc<Mutex<DeliveryChecker>>)>,
    failures: u32,
}

/// A frame of the server.
struct Frame {
    command: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Frame {
    /// Reads a frame without escapes. The gateway's own headers have none.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(2).position(|two| two == b"\n\n")?;
        let mut lines = std::str::from_utf8(bytes.get(..end)?).ok()?.lines();
        let command = lines.next()?.to_owned();
        let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(Self { command, headers, body: bytes.get(end + 2..)?.strip_suffix(b"\0")?.to_vec() })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    fn position(&self) -> Option<Position> {
        let (epoch, offset) = self.header("x-position")?.rsplit_once('-')?;
        Some(Position { epoch: Epoch::parse(epoch)?, offset: offset.parse().ok()? })
    }
}

type Socket = WebSocketStream<TcpStream>;

impl StompSubscriber {
    pub(crate) fn new(world: Arc<World>, who: String, activity: Arc<Activity>, channels: &[Arc<Channel>]) -> Self {
        let each = |channel: &Arc<Channel>| {
            let checker = world.checkers.add(who.clone(), channel, View::FromNow, activity.clone());
            (channel.name.clone(), checker)
        };
        let subscriptions = channels.iter().map(each).collect();
        Self { world, who, activity, subscriptions, failures: 0 }
    }

    /// Runs until the future is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let ended = match self.connect().await {
                Ok(socket) => {
                    self.failures = 0;
                    self.activity.connected();
                    match self.read_all(socket).await {
                        Err(ended) => ended,
                        Ok(never) => match never {},
                    }
                }
                Err(ended) => ended,
            };
            if let Ended::Malformed(why) = &ended {
                self.world.tally.violation(Count::Other, 1, || format!("{}: {why}", self.who));
            }
            self.world.count_end(&ended);
            tokio::time::sleep(pause(self.failures)).await;
            self.failures += 1;
        }
    }

    /// Connects and subscribes.
    async fn connect(&self) -> Result<Socket, Ended> {
        let server = self.world.any_node().public.address();
        let opened = timeout(TIMEOUT, async {
            let stream = TcpStream::connect(server).await.map_err(|_| Ended::Broken)?;
            stream.set_nodelay(true).map_err(|_| Ended::Broken)?;
            tokio_tungstenite::client_async(format!("ws://{server}/stomp"), stream).await.map_err(|_| Ended::Broken)
        });
        let (mut socket, _) = opened.await.map_err(|_| Ended::Broken)??;
        send(&mut socket, "CONNECT\naccept-version:1.2\nheart-beat:0,1000\n\n\0".into()).await?;
        for (id, (channel, checker)) in self.subscriptions.iter().enumerate() {
            let position = checker.lock().expect("no panic").position();
            let position = position.map(|at| format!("{}-{}", at.epoch, at.offset)).unwrap_or_default();
            let subscribe = format!("SUBSCRIBE\nid:{id}\ndestination:/topic/{channel}\nx-position:{position}\nreceipt:{id}\n\n\0");
            send(&mut socket, subscribe).await?;
        }
        Ok(socket)
    }

    async fn read_all(&mut self, mut socket: Socket) -> Result<std::convert::Infallible, Ended> {
        loop {
            let message = match timeout(SILENCE, socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => text.as_bytes().to_vec(),
                Ok(Some(Ok(Message::Binary(bytes)))) => bytes.to_vec(),
                Ok(Some(Ok(Message::Close(Some(close))))) => return Err(Ended::Closed(close.code.into(), close.reason.to_string())),
                Ok(Some(Ok(Message::Close(None)) | Err(_)) | None) | Err(_) => return Err(Ended::Broken),
                Ok(Some(Ok(_))) => continue,
            };
            if message == b"\n" {
                continue;
            }
            let malformed = || Ended::Malformed(format!("the server sent {}", message.escape_ascii()));
            self.frame(&Frame::parse(&message).ok_or_else(malformed)?).ok_or_else(malformed)?;
        }
    }

    /// Handles a frame. `None`: it violates the protocol.
    fn frame(&self, frame: &Frame) -> Option<()> {
        let checker = |id: &str| self.subscriptions.get(id.parse::<usize>().ok()?).map(|(_, checker)| checker.lock().expect("no panic"));
        let tally = &self.world.tally;
        match frame.command.as_str() {
            "CONNECTED" => {}
            "RECEIPT" => {
                let mut checker = checker(frame.header("receipt-id")?)?;
                if checker.position().is_none() {
                    checker.subscribed(frame.position()?, true, tally);
                }
            }
            "MESSAGE" if frame.header("x-gap") == Some("true") => {
                checker(frame.header("subscription")?)?.subscribed(frame.position()?, false, tally);
            }
            "MESSAGE" => {
                let (mut checker, at) = (checker(frame.header("subscription")?)?, frame.position()?);
                let number = content::of_body(&frame.body)?;
                if !self.world.drops_this_delivery() {
                    checker.publication_at(at, number, tally);
                }
            }
            // The gateway closes the connection next.
            "ERROR" if frame.header("retryable") == Some("true") => {}
            _ => return None,
        }
        Some(())
    }
}

async fn send(socket: &mut Socket, text: String) -> Result<(), Ended> {
    match timeout(TIMEOUT, socket.send(Message::text(text))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Ended::Broken),
    }
}
