//! The main loop of a session.

use super::calls::{Calls, error_frame};
use super::end::{CLOSE_TIMEOUT, SessionEnd};
use super::registration::UndrainedLink;
use super::wire::{self, Incoming};
use crate::client::link::context::{Context, Phase};
use crate::client::link::nodes::socket::Socket;
use crate::client::link::publishing::{LinkId, LinkUpdate};
use crate::client::link::service::{CallFailure, Service};
use crate::errors::ErrorCode;
use crate::link::{Credit, Drain, LinkError, Nack, ToGateway, ToService, Welcome};
use futures_util::{Stream, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError, Message};

/// Room in the send queue for control frames, in addition to replies, credits and publications.
const CONTROL_FRAMES: usize = 16;
/// Payload of the ping after our drain frame. Its pong proves that the node has read the drain frame, and that all calls which the node
/// sent before have arrived.
const DRAIN_BARRIER: &[u8] = b"drain";

/// A welcomed link.
pub(super) struct Session<'a, S: Service> {
    context: &'a Arc<Context<S>>,
    link: LinkId,
    updates: &'a mpsc::Sender<LinkUpdate>,
    peers: &'a mpsc::Sender<Vec<String>>,
    calls: Calls<S>,
    send_queue: mpsc::Sender<Message>,
    /// The other end of `send_queue`, until [`Session::run`] takes it.
    queued: Option<mpsc::Receiver<Message>>,
    /// Present until the node has confirmed our drain frame.
    undrained: Option<UndrainedLink<S>>,
    message_size: usize,
    heartbeat: Duration,
    last_received: Instant,
    ping_sent: bool,
}

/// The session must end.
struct Broken;

impl<'a, S: Service> Session<'a, S> {
    pub(super) fn new(
        context: &'a Arc<Context<S>>,
        link: LinkId,
        updates: &'a mpsc::Sender<LinkUpdate>,
        peers: &'a mpsc::Sender<Vec<String>>,
        welcome: &Welcome,
        window: usize,
    ) -> Self {
        let (send_queue, queued) = mpsc::channel(window + 2 * context.config.credit as usize + CONTROL_FRAMES);
        Self {
            context,
            link,
            updates,
            peers,
            calls: Calls::new(context.clone()),
            send_queue,
            queued: Some(queued),
            undrained: Some(UndrainedLink::register(context)),
            // Our own limit also applies to what we send, because the write buffer has the size of one such message.
            message_size: welcome.limits.message_size.min(context.config.message_size),
            heartbeat: Duration::from_secs(u64::from(welcome.limits.heartbeat.clamp(1, 120))),
            last_received: Instant::now(),
            ping_sent: false,
        }
    }

    /// Runs until the link is lost or the phase is `Closed`.
    pub(super) async fn run(mut self, socket: Socket, mut publications: mpsc::Receiver<ToGateway>, peers: Vec<String>) -> SessionEnd {
        let (sink, mut stream) = socket.split();
        let Some(queued) = self.queued.take() else { return SessionEnd::Closed };
        let mut writer = std::pin::pin!(wire::write_all(sink, queued, self.heartbeat * 2));
        let mut phase = self.context.phase.clone();
        let mut current_phase = Phase::Running;
        self.report_peers(peers);
        let end = loop {
            let silent_at = self.last_received + self.allowed_silence();
            let step = tokio::select! {
                () = &mut writer => Err(Broken),
                received = stream.next() => self.handle_message(received).await,
                frame = publications.recv() => match frame {
                    Some(frame) => self.send(frame).await,
                    None => Err(Broken),
                },
                answer = self.calls.next_ended(), if !self.calls.is_empty() => self.finish_call(answer).await,
                () = sleep_until(silent_at) => self.handle_silence(),
                next = next_phase(&mut phase, current_phase) => {
                    current_phase = next;
                    if next == Phase::Closed {
                        break SessionEnd::Closed;
                    }
                    self.drain()
                }
            };
            if step.is_err() {
                break SessionEnd::Lost { welcomed: true };
            }
        };
        if end == SessionEnd::Closed {
            self.close(writer, &mut stream).await;
        }
        end
    }

    fn report_peers(&self, peers: Vec<String>) {
        // The queue is full while the supervisor works on earlier lists.
        if self.peers.try_send(peers).is_err() {
            tracing::warn!(
                "ignored the peer addresses of a welcome frame, because earlier ones are still being processed; the next welcome frame repeats them"
            );
        }
    }

    fn allowed_silence(&self) -> Duration {
        if self.ping_sent { self.heartbeat * 2 } else { self.heartbeat }
    }

    /// Pings after one heartbeat without a message, and ends the session after two.
    fn handle_silence(&mut self) -> Result<(), Broken> {
        if self.ping_sent {
            tracing::warn!("the node sent nothing for two heartbeats; the link is closed");
            return Err(Broken);
        }
        self.ping_sent = true;
        self.enqueue(Message::Ping(Bytes::new()))
    }

    async fn handle_message(&mut self, received: Option<Result<Message, SocketError>>) -> Result<(), Broken> {
        let incoming = wire::decode(received, &self.context.counts).map_err(|()| Broken)?;
        self.last_received = Instant::now();
        self.ping_sent = false;
        match incoming {
            Incoming::Frame(frame) => self.handle_frame(*frame).await,
            Incoming::Pong(payload) => {
                if payload == DRAIN_BARRIER {
                    self.undrained = None;
                }
                Ok(())
            }
            Incoming::Ignored => Ok(()),
        }
    }

    async fn handle_frame(&mut self, frame: ToService) -> Result<(), Broken> {
        match frame {
            ToService::Call(call) => {
                if let Some(refused) = self.calls.start_call(call) {
                    self.send(refused).await?;
                }
            }
            ToService::Event(event) => {
                if let Some(refused) = self.calls.start_event(event) {
                    self.send(refused).await?;
                }
            }
            ToService::Cancel(cancel) => self.calls.cancel(cancel.id),
            ToService::Ack(ack) => self.notify_router(LinkUpdate::Ack(self.link, ack)).await?,
            ToService::Nack(nack) => self.notify_router(LinkUpdate::Nack(self.link, nack)).await?,
            ToService::Drain(Drain {}) => self.notify_router(LinkUpdate::Draining(self.link)).await?,
            ToService::Welcome(welcome) => self.report_peers(welcome.peers),
            ToService::Error(error) => {
                tracing::warn!(code = error.code, message = error.message, "the node closed the link with an error");
                return Err(Broken);
            }
        }
        Ok(())
    }

    /// Sends the answer and returns the credit.
    async fn finish_call(&mut self, answer: Option<ToGateway>) -> Result<(), Broken> {
        if let Some(answer) = answer {
            self.send(answer).await?;
        }
        self.send(ToGateway::Credit(Credit { n: 1 })).await
    }

    fn drain(&mut self) -> Result<(), Broken> {
        self.enqueue(Message::text(wire::encode(&ToGateway::Drain(Drain {}))))?;
        self.enqueue(Message::Ping(Bytes::from_static(DRAIN_BARRIER)))
    }

    /// Sends a frame. If it is larger than the node accepts, a publication is refused, and a call is answered with an error.
    async fn send(&mut self, frame: ToGateway) -> Result<(), Broken> {
        let text = wire::encode(&frame);
        if text.len() <= self.message_size {
            return self.enqueue(Message::text(text));
        }
        match frame {
            ToGateway::Publish(publish) => {
                let error = LinkError {
                    code: ErrorCode::PayloadTooLarge.row().name.into(),
                    message: format!("the gateway accepts frames of at most {} bytes; publish less data", self.message_size),
                    retryable: false,
                    expected: None,
                    retry_after_ms: None,
                };
                self.notify_router(LinkUpdate::Nack(self.link, Nack { id: publish.id, error })).await
            }
            ToGateway::Reply(reply) => {
                let failure = CallFailure::refused(500, "the reply is larger than the gateway accepts");
                self.enqueue(Message::text(wire::encode(&error_frame(reply.id, failure))))
            }
            ToGateway::Error(error) => {
                let failure = CallFailure { code: error.code, message: String::new(), temporary: error.temporary };
                self.enqueue(Message::text(wire::encode(&error_frame(error.id, failure))))
            }
            ToGateway::Hello(_) | ToGateway::Credit(_) | ToGateway::Done(_) | ToGateway::Failed(_) | ToGateway::Drain(_) => {
                self.enqueue(Message::text(text))
            }
        }
    }

    /// Queues a message. The queue has room for everything that the protocol allows, so only a faulty node can fill it.
    fn enqueue(&self, message: Message) -> Result<(), Broken> {
        self.send_queue.try_send(message).map_err(|_| Broken)
    }

    async fn notify_router(&self, update: LinkUpdate) -> Result<(), Broken> {
        self.updates.send(update).await.map_err(|_| Broken)
    }

    /// Sends a close frame after all queued messages, and waits for the node's close frame, at most [`CLOSE_TIMEOUT`].
    async fn close(self, writer: impl Future<Output = ()>, stream: &mut (impl Stream<Item = Result<Message, SocketError>> + Unpin)) {
        let _full = self.send_queue.try_send(Message::Close(None));
        drop(self);
        let close_handshake = async {
            writer.await;
            while let Some(Ok(_)) = stream.next().await {}
        };
        let _timeout = timeout(CLOSE_TIMEOUT, close_handshake).await;
    }
}

/// Waits until the phase is later than `current`. If the `Link` was dropped, it is `Closed`.
async fn next_phase(phase: &mut watch::Receiver<Phase>, current: Phase) -> Phase {
    phase.wait_for(|phase| *phase > current).await.map_or(Phase::Closed, |phase| *phase)
}
