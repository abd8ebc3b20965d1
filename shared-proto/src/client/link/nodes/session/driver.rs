//! One link from its hello to its end.

mod wire;

use super::calls::{Calls, count, refusal};
use super::outbox::LinkId;
use super::router::LinkNews;
use super::socket::Socket;
use super::{CallFailure, Phase, Service, Shared};
use crate::errors::ErrorCode;
use crate::link::{Credit, Drain, Hello, LinkError, Nack, ToGateway, ToService, Welcome};
use futures_util::{SinkExt, Stream, StreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError, Message};
use wire::Incoming;

/// For the goodbye of a link.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Publications in flight per link at most, whatever the node allows.
const WINDOW: u32 = 256;
/// Frames beyond replies, credits and publications: control frames.
const SPARE: usize = 16;
/// The pong to this says that the node has seen our drain, and that every call it sent before has arrived.
const DRAIN_BARRIER: &[u8] = b"drain";

static NEXT_LINK: AtomicU64 = AtomicU64::new(1);

/// How a link ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As was asked for.
    Closed,
    /// This node is linked already, by another address.
    Elsewhere(String),
    /// By the network, the node or a frame that cannot be read.
    Lost { welcomed: bool },
}

/// Says hello, waits for the welcome, and runs until the end.
pub(super) async fn run<S: Service>(
    shared: &Arc<Shared<S>>,
    url: &str,
    mut socket: Socket,
    news: &mpsc::Sender<LinkNews>,
    peers: &mpsc::Sender<Vec<String>>,
) -> End {
    let greeted = timeout(shared.config.connect_timeout, greet(shared, &mut socket)).await;
    let Ok(Ok(welcome)) = greeted else {
        tracing::warn!(url, "the node did not welcome this instance");
        return End::Lost { welcomed: false };
    };
    let Some(_claim) = Claim::on(shared, &welcome.node) else {
        let _goodbye = timeout(CLOSE_TIMEOUT, socket.close(None)).await;
        return End::Elsewhere(welcome.node);
    };
    count(&shared.counts.welcomed);
    tracing::info!(url, node = welcome.node, "linked");
    let link = LinkId(NEXT_LINK.fetch_add(1, Ordering::Relaxed));
    let window = welcome.limits.publishes_in_flight.clamp(1, WINDOW) as usize;
    let (frames, to_send) = mpsc::channel(window);
    let up = LinkNews::Up { link, node: welcome.node.clone(), window, frames };
    if news.send(up).await.is_err() {
        return End::Closed;
    }
    let end = Session::new(shared, link, news, peers, &welcome, window).drive(socket, to_send, welcome.peers).await;
    // The router outlives the links, except when everything is dropped at once.
    let _gone = news.send(LinkNews::Down(link)).await;
    tracing::info!(url, node = welcome.node, ?end, "link ended");
    end
}

async fn greet<S: Service>(shared: &Shared<S>, socket: &mut Socket) -> Result<Welcome, ()> {
    let config = &shared.config;
    let running = *shared.phase.borrow() == Phase::Running;
    let hello = Hello {
        service: config.service.clone(),
        instance: config.instance.clone(),
        credit: if running { config.credit } else { 0 },
        events: config.events.clone(),
    };
    socket.send(Message::text(wire::write(&ToGateway::Hello(hello)))).await.map_err(|_| ())?;
    loop {
        match wire::read(socket.next().await, &shared.counts)? {
            Incoming::Frame(frame) => match *frame {
                ToService::Welcome(welcome) => return Ok(welcome),
                _ => return Err(()),
            },
            Incoming::Alive | Incoming::Pong(_) => {}
        }
    }
}

/// Says that a node is linked, for as long as it lives.
struct Claim<'a, S> {
    shared: &'a Shared<S>,
    node: String,
}

impl<'a, S> Claim<'a, S> {
    fn on(shared: &'a Shared<S>, node: &str) -> Option<Self> {
        let free = shared.activity.send_if_modified(|now| now.nodes.insert(node.to_owned()));
        free.then(|| Self { shared, node: node.to_owned() })
    }
}

impl<S> Drop for Claim<'_, S> {
    fn drop(&mut self) {
        self.shared.activity.send_modify(|now| {
            now.nodes.remove(&self.node);
        });
    }
}

/// Counts a link as undrained, for as long as it lives.
struct Undrained<S>(Arc<Shared<S>>);

impl<S> Undrained<S> {
    fn new(shared: &Arc<Shared<S>>) -> Self {
        shared.activity.send_modify(|now| now.undrained += 1);
        Self(shared.clone())
    }
}

impl<S> Drop for Undrained<S> {
    fn drop(&mut self) {
        self.0.activity.send_modify(|now| now.undrained -= 1);
    }
}

struct Session<'a, S: Service> {
    shared: &'a Arc<Shared<S>>,
    link: LinkId,
    news: &'a mpsc::Sender<LinkNews>,
    peers: &'a mpsc::Sender<Vec<String>>,
    calls: Calls<S>,
    outgoing: mpsc::Sender<Message>,
    queued: Option<mpsc::Receiver<Message>>,
    undrained: Option<Undrained<S>>,
    message_size: usize,
    heartbeat: Duration,
    heard: Instant,
    pinged: bool,
}

/// The link cannot go on.
struct Broken;

impl<'a, S: Service> Session<'a, S> {
    fn new(
        shared: &'a Arc<Shared<S>>,
        link: LinkId,
        news: &'a mpsc::Sender<LinkNews>,
        peers: &'a mpsc::Sender<Vec<String>>,
        welcome: &Welcome,
        window: usize,
    ) -> Self {
        let (outgoing, queued) = mpsc::channel(window + 2 * shared.config.credit as usize + SPARE);
        Self {
            shared,
            link,
            news,
            peers,
            calls: Calls::new(shared.clone()),
            outgoing,
            queued: Some(queued),
            undrained: Some(Undrained::new(shared)),
            // The socket's write buffer holds one message of our own bound.
            message_size: welcome.limits.message_size.min(shared.config.message_size),
            heartbeat: Duration::from_secs(u64::from(welcome.limits.heartbeat.clamp(1, 120))),
            heard: Instant::now(),
            pinged: false,
        }
    }

    async fn drive(mut self, socket: Socket, mut to_send: mpsc::Receiver<ToGateway>, peers: Vec<String>) -> End {
        let (sink, mut stream) = socket.split();
        let Some(queued) = self.queued.take() else { return End::Closed };
        let mut writer = std::pin::pin!(wire::write_all(sink, queued, self.heartbeat * 2));
        let mut phase = self.shared.phase.clone();
        let mut seen = Phase::Running;
        self.name_peers(peers);
        let end = loop {
            let silent_at = self.heard + self.silence();
            let step = tokio::select! {
                () = &mut writer => Err(Broken),
                received = stream.next() => self.receive(received).await,
                frame = to_send.recv() => match frame {
                    Some(frame) => self.send(frame).await,
                    None => Err(Broken),
                },
                ended = self.calls.ended(), if !self.calls.is_empty() => self.ended(ended).await,
                () = sleep_until(silent_at) => self.silent(),
                next = next_phase(&mut phase, seen) => {
                    seen = next;
                    if next == Phase::Closed {
                        break End::Closed;
                    }
                    self.drain()
                }
            };
            if step.is_err() {
                break End::Lost { welcomed: true };
            }
        };
        if end == End::Closed {
            self.close(writer, &mut stream).await;
        }
        end
    }

    fn name_peers(&self, peers: Vec<String>) {
        // A full queue means that lists are being worked through; the next welcome names them again.
        if self.peers.try_send(peers).is_err() {
            tracing::warn!("the list of a node's peers was put off");
        }
    }

    fn silence(&self) -> Duration {
        if self.pinged { self.heartbeat * 2 } else { self.heartbeat }
    }

    /// Nothing came for a heartbeat: ask once, then give the link up.
    fn silent(&mut self) -> Result<(), Broken> {
        if self.pinged {
            tracing::warn!("the node has fallen silent");
            return Err(Broken);
        }
        self.pinged = true;
        self.queue(Message::Ping(Bytes::new()))
    }

    async fn receive(&mut self, received: Option<Result<Message, SocketError>>) -> Result<(), Broken> {
        let incoming = wire::read(received, &self.shared.counts).map_err(|()| Broken)?;
        self.heard = Instant::now();
        self.pinged = false;
        match incoming {
            Incoming::Frame(frame) => self.obey(*frame).await,
            Incoming::Pong(payload) => {
                if payload == DRAIN_BARRIER {
                    self.undrained = None;
                }
                Ok(())
            }
            Incoming::Alive => Ok(()),
        }
    }

    async fn obey(&mut self, frame: ToService) -> Result<(), Broken> {
        match frame {
            ToService::Call(call) => {
                if let Some(refused) = self.calls.begin(call) {
                    self.send(refused).await?;
                }
            }
            ToService::Event(event) => self.calls.take(event),
            ToService::Cancel(cancel) => self.calls.cancel(cancel.id),
            ToService::Ack(ack) => self.tell(LinkNews::Ack(self.link, ack)).await?,
            ToService::Nack(nack) => self.tell(LinkNews::Nack(self.link, nack)).await?,
            ToService::Drain(Drain {}) => self.tell(LinkNews::Draining(self.link)).await?,
            ToService::Welcome(welcome) => self.name_peers(welcome.peers),
            ToService::Error(error) => {
                tracing::warn!(code = error.code, message = error.message, "the node closes the link");
                return Err(Broken);
            }
        }
        Ok(())
    }

    async fn ended(&mut self, answer: Option<ToGateway>) -> Result<(), Broken> {
        if let Some(answer) = answer {
            self.send(answer).await?;
        }
        self.send(ToGateway::Credit(Credit { n: 1 })).await
    }

    fn drain(&mut self) -> Result<(), Broken> {
        self.queue(Message::text(wire::write(&ToGateway::Drain(Drain {}))))?;
        self.queue(Message::Ping(Bytes::from_static(DRAIN_BARRIER)))
    }

    /// Sends a frame, or what stands for it where it is larger than the node accepts.
    async fn send(&mut self, frame: ToGateway) -> Result<(), Broken> {
        let text = wire::write(&frame);
        if text.len() <= self.message_size {
            return self.queue(Message::text(text));
        }
        match frame {
            ToGateway::Publish(publish) => {
                let error = LinkError {
                    code: ErrorCode::PayloadTooLarge.row().name.into(),
                    message: format!("the node takes {} bytes at most", self.message_size),
                    retryable: false,
                };
                self.tell(LinkNews::Nack(self.link, Nack { id: publish.id, error })).await
            }
            ToGateway::Reply(reply) => {
                let failure = CallFailure::refused(500, "the reply is larger than the gateway accepts");
                self.queue(Message::text(wire::write(&refusal(reply.id, failure))))
            }
            ToGateway::Error(error) => {
                let failure = CallFailure { code: error.code, message: String::new(), temporary: error.temporary };
                self.queue(Message::text(wire::write(&refusal(error.id, failure))))
            }
            ToGateway::Hello(_) | ToGateway::Credit(_) | ToGateway::Drain(_) => self.queue(Message::text(text)),
        }
    }

    /// The queue has room for everything the protocol allows at a time; a node that makes it overflow is at fault.
    fn queue(&self, message: Message) -> Result<(), Broken> {
        self.outgoing.try_send(message).map_err(|_| Broken)
    }

    async fn tell(&self, news: LinkNews) -> Result<(), Broken> {
        self.news.send(news).await.map_err(|_| Broken)
    }

    /// Says goodbye behind all that is queued, and waits a moment for the node's own.
    async fn close(self, writer: impl Future<Output = ()>, stream: &mut (impl Stream<Item = Result<Message, SocketError>> + Unpin)) {
        let _full = self.outgoing.try_send(Message::Close(None));
        drop(self);
        let goodbye = async {
            writer.await;
            while let Some(Ok(_)) = stream.next().await {}
        };
        let _late = timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

/// Waits until the phase is later than `seen`.
async fn next_phase(phase: &mut watch::Receiver<Phase>, seen: Phase) -> Phase {
    phase.wait_for(|phase| *phase > seen).await.map_or(Phase::Closed, |phase| *phase)
}
