//! A link after its hello, until it ends.

use super::{
    super::{
        counters::Count,
        instance::{Joining, LinkId, Queued},
        service::Service,
        services::Services,
    },
    ending::Ending,
    frames::text,
    hello::Accepted,
    messages::{Peer, Sent},
};
use futures_util::{Sink, SinkExt};
use gateway_core::model::Refusal;
use shared_proto::link::{Limits, ToService, Welcome};
use std::{cell::Cell, collections::HashSet, sync::Arc};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// A link that is among those of its service, until [`Link::close`] or its drop.
pub(super) struct Link<'a> {
    pub(super) services: &'a Services,
    pub(super) service: &'a Service,
    pub(super) id: LinkId,
    pub(super) instance: Arc<str>,
    pub(super) queue: mpsc::Sender<Queued>,
    pub(super) replaced: CancellationToken,
    pub(super) heard: Cell<Instant>,
    pub(super) unsent: HashSet<u64>,
}

impl<'a> Link<'a> {
    pub(super) fn open(
        services: &'a Services,
        service: &'a Service,
        hello: Accepted,
        queue: mpsc::Sender<Queued>,
    ) -> Result<Self, Refusal> {
        let replaced = CancellationToken::new();
        let joining = Joining {
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
    pub(super) async fn write<W: Sink<Sent> + Unpin>(
        &self,
        welcome: ToService,
        queued: &mut mpsc::Receiver<Queued>,
        writer: &mut W,
    ) -> Ending {
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
    pub(super) async fn next(&self, queued: &mut mpsc::Receiver<Queued>) -> Option<Queued> {
        tokio::select! {
            Some(next) = queued.recv() => Some(next),
            () = self.services.closing.cancelled() => queued.try_recv().ok(),
        }
    }

    pub(super) fn welcome(&self, peer: &Peer, nodes: &[String]) -> ToService {
        let peers = nodes.iter().map(|node| format!("{node}/v1/services/{}/link", peer.service)).collect();
        let limits = &self.services.links;
        let limits = Limits {
            message_size: limits.message_size,
            publishes_in_flight: limits.publishes_in_flight,
            heartbeat: limits.heartbeat.as_secs().max(1) as u32,
        };
        ToService::Welcome(Welcome { node: peer.node.to_string(), peers, limits })
    }

    /// Welcomes the instance again whenever the nodes have changed, so that it has a link to each.
    pub(super) async fn tell(&self, peer: &Peer, mut nodes: watch::Receiver<Arc<[String]>>) -> Ending {
        while nodes.changed().await.is_ok() {
            let welcome = self.welcome(peer, &nodes.borrow_and_update());
            if self.queue.send(Queued::Frame(welcome)).await.is_err() {
                return Ending::Lost;
            }
        }
        std::future::pending().await
    }

    /// Pings a silent peer, and ends the link with one that stays silent.
    pub(super) async fn listen(&self) -> Ending {
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
    pub(super) fn close(mut self, queued: &mut mpsc::Receiver<Queued>) {
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
