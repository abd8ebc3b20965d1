//! One link: the frames between this node and one instance of a service, over any transport that carries text messages.
//!
//! Four things go on at once, none of which waits for another: frames come in, frames go out, publications are stored, and the peer's
//! silence is measured. Whichever ends first ends the link, with a reason that both sides get to know.

mod ending;
mod hello;
mod incoming;
mod publishing;

#[cfg(test)]
mod tests;

pub use ending::{CloseFrame, Ending};

use super::{
    Count, Service, Services,
    pool::{LinkId, Queued},
};
use crate::publish::Publisher;
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use gateway_core::model::{ErrorCode, Refusal};
use publishing::Publishing;
use shared_proto::link::{Limits, LinkError, ToService, Welcome};
use std::{cell::Cell, collections::HashSet, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

/// What this node accepts on a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkLimits {
    /// Bytes of a message at most.
    pub message_size: usize,
    /// Bytes of the reply to a call at most.
    pub reply_size: usize,
    /// Publications that may be unacknowledged, at least 1.
    pub publishes_in_flight: u32,
    /// Silence after which the node pings, and after two of which it closes the link.
    pub heartbeat: Duration,
    /// Time for the first frame.
    pub hello_timeout: Duration,
    /// Frames that may wait to be written, at least 1.
    pub queue: usize,
    /// Time for the last frames of a link that is closed.
    pub close_timeout: Duration,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            message_size: 256 << 10,
            reply_size: 64 << 10,
            publishes_in_flight: 256,
            heartbeat: Duration::from_secs(10),
            hello_timeout: Duration::from_secs(5),
            queue: 1024,
            close_timeout: Duration::from_secs(1),
        }
    }
}

impl LinkLimits {
    fn told(&self) -> Limits {
        Limits {
            message_size: self.message_size,
            publishes_in_flight: self.publishes_in_flight,
            heartbeat: self.heartbeat.as_secs().max(1) as u32,
        }
    }
}

/// A message from the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// One frame of the link's protocol, as UTF-8.
    Text(Bytes),
    /// To be answered with the same bytes.
    Ping(Bytes),
    /// Alive.
    Pong,
    /// The peer closes.
    Close,
    /// Larger than allowed, or not what the transport's rules allow.
    Invalid(Invalid),
}

/// Why a message could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Larger than [`LinkLimits::message_size`].
    TooLarge,
    /// Binary.
    Binary,
    /// Against the transport's rules.
    Protocol,
}

/// A message to the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// One frame of the link's protocol.
    Text(String),
    /// To be answered.
    Ping,
    /// The answer to a ping.
    Pong(Bytes),
    /// Last of all.
    Close(CloseFrame),
}

/// Whom a link serves.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The service, as the link's path named it.
    pub service: gateway_core::model::ServiceName,
    /// Name of the API key, the scope of idempotency keys.
    pub scope: Box<str>,
    /// Name of this node.
    pub node: Arc<str>,
    /// Where services reach the nodes, as `ws://host:port`; changes with them.
    pub nodes: watch::Receiver<Arc<[String]>>,
}

/// Serves one link to its end. The service must be one that [`Services::knows`].
pub async fn serve<R, W>(services: &Services, publisher: &Publisher, peer: Peer, mut reader: R, mut writer: W) -> Ending
where
    R: Stream<Item = Received> + Unpin,
    W: Sink<Sent> + Unpin,
{
    let _open = services.open.token();
    let ending = match run(services, publisher, &peer, &mut reader, &mut writer).await {
        Ok(never) => match never {},
        Err(ending) => ending,
    };
    services.counters.add(ending.count());
    tracing::info!(service = %peer.service, %ending, "link ended");
    let goodbye = async {
        if let Some(refusal) = ending.refusal() {
            let _ = writer.send(Sent::Text(text(&ToService::Error(link_error(&refusal))))).await;
        }
        let _ = writer.send(Sent::Close(ending.close_frame())).await;
        if ending == Ending::Stopped {
            // The process ends with its links. The peer's close says that everything has reached it.
            while !matches!(reader.next().await, None | Some(Received::Close | Received::Invalid(_))) {}
        }
    };
    let _ = timeout(services.links.close_timeout, goodbye).await;
    ending
}

/// No link ends well: all of them end for a reason.
enum Never {}

async fn run<R, W>(services: &Services, publisher: &Publisher, peer: &Peer, reader: &mut R, writer: &mut W) -> Result<Never, Ending>
where
    R: Stream<Item = Received> + Unpin,
    W: Sink<Sent> + Unpin,
{
    let service = services.service(&peer.service).map_err(Ending::Refused)?;
    let hello = hello::receive(services, peer, reader, writer).await?;
    let (queue, mut queued) = mpsc::channel(services.links.queue);
    let link = Link::open(services, service, hello, queue.clone()).map_err(Ending::Refused)?;
    tracing::info!(service = %peer.service, instance = %link.instance, "link opened");
    services.counters.add(Count::LinkOpened);
    let mut nodes = peer.nodes.clone();
    let welcome = link.welcome(peer, &nodes.borrow_and_update());
    let (publishing, accept) = Publishing::new(publisher, &peer.scope, services, &queue);
    let outcome = tokio::select! {
        biased;
        () = cut_off(services) => Ending::Stopped,
        () = link.replaced.cancelled() => Ending::Replaced,
        ending = link.read(reader, &accept) => ending,
        ending = link.write(welcome, &mut queued, writer) => ending,
        ending = publishing.run() => ending,
        ending = link.listen() => ending,
        ending = link.tell(peer, nodes) => ending,
    };
    link.close(&mut queued);
    Err(outcome)
}

/// Resolves when the node stops, and what waits has had its time to be written.
async fn cut_off(services: &Services) {
    services.closing.cancelled().await;
    sleep(services.links.close_timeout).await;
}

/// A link that is among those of its service, until [`Link::close`] or its drop.
struct Link<'a> {
    services: &'a Services,
    service: &'a Service,
    id: LinkId,
    instance: Arc<str>,
    queue: mpsc::Sender<Queued>,
    replaced: tokio_util::sync::CancellationToken,
    heard: Cell<Instant>,
    unsent: HashSet<u64>,
}

impl<'a> Link<'a> {
    fn open(services: &'a Services, service: &'a Service, hello: hello::Accepted, queue: mpsc::Sender<Queued>) -> Result<Self, Refusal> {
        let replaced = tokio_util::sync::CancellationToken::new();
        let joining = super::pool::Joining {
            instance: Arc::clone(&hello.instance),
            credit: hello.credit,
            interests: hello.interests,
            queue: queue.clone(),
            replaced: replaced.clone(),
        };
        let id = service.pool().join(joining, services.now())?;
        services.refresh_interests();
        let heard = Cell::new(Instant::now());
        Ok(Self { services, service, id, instance: hello.instance, queue, replaced, heard, unsent: HashSet::new() })
    }

    /// Frames out, until the transport takes no more or the node stops.
    async fn write<W: Sink<Sent> + Unpin>(&self, welcome: ToService, queued: &mut mpsc::Receiver<Queued>, writer: &mut W) -> Ending {
        if writer.send(Sent::Text(text(&welcome))).await.is_err() {
            return Ending::Lost;
        }
        while let Some(next) = self.next(queued).await {
            let message = match next {
                Queued::Frame(frame) => Sent::Text(text(&frame)),
                Queued::Ping => Sent::Ping,
                Queued::Pong(bytes) => Sent::Pong(bytes),
            };
            if writer.send(message).await.is_err() {
                return Ending::Lost;
            }
        }
        Ending::Stopped
    }

    /// What is to be written next; none once the node stops and nothing waits.
    async fn next(&self, queued: &mut mpsc::Receiver<Queued>) -> Option<Queued> {
        tokio::select! {
            Some(next) = queued.recv() => Some(next),
            () = self.services.closing.cancelled() => queued.try_recv().ok(),
        }
    }

    fn welcome(&self, peer: &Peer, nodes: &[String]) -> ToService {
        let peers = nodes.iter().map(|node| format!("{node}/v1/services/{}/link", peer.service)).collect();
        ToService::Welcome(Welcome { node: peer.node.to_string(), peers, limits: self.services.links.told() })
    }

    /// Welcomes the instance again whenever the nodes have changed, so that it has a link to each.
    async fn tell(&self, peer: &Peer, mut nodes: watch::Receiver<Arc<[String]>>) -> Ending {
        while nodes.changed().await.is_ok() {
            let welcome = self.welcome(peer, &nodes.borrow_and_update());
            if self.queue.send(Queued::Frame(welcome)).await.is_err() {
                return Ending::Lost;
            }
        }
        std::future::pending().await
    }

    /// Pings a silent peer, and ends the link with one that stays silent.
    async fn listen(&self) -> Ending {
        let heartbeat = self.services.links.heartbeat;
        loop {
            let heard = self.heard.get();
            sleep_until(heard + heartbeat).await;
            if self.heard.get() > heard {
                continue;
            }
            // A full queue is no excuse: the peer takes nothing either.
            let _ = self.queue.try_send(Queued::Ping);
            sleep_until(heard + 2 * heartbeat).await;
            if self.heard.get() == heard {
                return Ending::Silent;
            }
        }
    }

    /// Takes the link out; what was not written yet surely did not reach the instance.
    fn close(mut self, queued: &mut mpsc::Receiver<Queued>) {
        queued.close();
        let mut events = 0;
        while let Ok(next) = queued.try_recv() {
            match next {
                Queued::Frame(ToService::Call(call)) => drop(self.unsent.insert(call.id)),
                Queued::Frame(ToService::Event(_)) => events += 1,
                Queued::Frame(_) | Queued::Ping | Queued::Pong(_) => {}
            }
        }
        self.services.counters.add_many(Count::EventLost, events);
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.service.pool().leave(self.id, &self.unsent, self.services.now());
        self.services.refresh_interests();
    }
}

fn text(frame: &ToService) -> String {
    serde_json::to_string(frame).expect("maps have text keys only, and raw values are valid JSON")
}

fn link_error(refusal: &Refusal) -> LinkError {
    let retryable = refusal.code.row().retry != gateway_core::model::Retry::Never;
    LinkError { code: refusal.code.to_string(), message: refusal.detail.clone(), retryable }
}

/// A malformed frame, as the peer is told.
fn malformed(detail: impl Into<String>) -> Ending {
    Ending::Malformed(Refusal::new(ErrorCode::BadRequest, detail))
}
