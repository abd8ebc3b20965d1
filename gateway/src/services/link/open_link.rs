//! A link after its hello, until it ends.

use super::{
    super::{
        counters::Count,
        instances::{
            instance::{LinkId, NewLink, Outgoing},
            links::Links,
        },
        lifecycle::outlet::Outlet,
        service::Service,
        services::Services,
    },
    ending::Ending,
    frames::text,
    hello::AcceptedHello,
    messages::{Peer, Sent},
    phases::{CurrentPhase, LinkEvent},
};
use futures_util::{Sink, SinkExt};
use gateway_core::model::Refusal;
use shared_proto::link::{Event, Limits, ToService, Welcome};
use std::{cell::Cell, collections::HashSet, sync::Arc};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// A link that is registered with its service, until [`Link::close`] or its drop.
pub(super) struct Link<'a> {
    pub(super) services: &'a Services,
    pub(super) links: &'a Links,
    pub(super) outlet: &'a Outlet,
    pub(super) service: &'a Service,
    pub(super) id: LinkId,
    pub(super) instance: Arc<str>,
    pub(super) queue: mpsc::Sender<Outgoing>,
    pub(super) replaced: CancellationToken,
    pub(super) last_received: Cell<Instant>,
    pub(super) unsent: HashSet<u64>,
    pub(super) phase: &'a CurrentPhase,
}

impl<'a> Link<'a> {
    pub(super) fn open(
        services: &'a Services,
        (service, links): (&'a Service, &'a Links),
        hello: AcceptedHello,
        queue: mpsc::Sender<Outgoing>,
        phase: &'a CurrentPhase,
    ) -> Result<Self, Refusal> {
        let replaced = CancellationToken::new();
        let new_link = NewLink {
            instance: Arc::clone(&hello.instance),
            credit: hello.credit,
            interests: hello.interests,
            queue: queue.clone(),
            replaced: replaced.clone(),
        };
        let id = links.lock().join(new_link, services.now())?;
        services.refresh_interests();
        phase.apply(LinkEvent::HelloAccepted);
        let last_received = Cell::new(Instant::now());
        service.wake();
        Ok(Self {
            services,
            links,
            outlet: &service.outlet,
            service,
            id,
            instance: hello.instance,
            queue,
            replaced,
            last_received,
            unsent: HashSet::new(),
            phase,
        })
    }

    /// Writes frames until the transport fails or the node stops.
    pub(super) async fn write<W: Sink<Sent> + Unpin>(
        &self,
        welcome: ToService,
        queued: &mut mpsc::Receiver<Outgoing>,
        writer: &mut W,
    ) -> Ending {
        if writer.send(Sent::Text(text(&welcome))).await.is_err() {
            return Ending::Lost;
        }
        while let Some(next) = self.next_outgoing(queued).await {
            let message = match next {
                Outgoing::Frame(frame) => Sent::Text(text(&frame)),
                // Its receipt ends only when it is written.
                Outgoing::Lifecycle(event) => {
                    let frame = Sent::Text(text(&ToService::Event((&event).into())));
                    if writer.send(frame).await.is_err() {
                        return Ending::Lost;
                    }
                    continue;
                }
                Outgoing::Queued(event) => {
                    if self.write_queued(*event, writer).await.is_err() {
                        return Ending::Lost;
                    }
                    continue;
                }
                Outgoing::Ping => Sent::Ping,
                Outgoing::Pong(bytes) => Sent::Pong(bytes),
            };
            if writer.send(message).await.is_err() {
                return Ending::Lost;
            }
            // The queue of the link has a place more.
            self.service.wake();
        }
        Ending::Stopped
    }

    // NL-8.7
    /// Writes an event from a queue, unless this node may not deliver it any more.
    async fn write_queued<W: Sink<Sent> + Unpin>(&self, event: Event, writer: &mut W) -> Result<(), W::Error> {
        let id = event.id.clone().unwrap_or_default();
        let frame = Sent::Text(text(&ToService::Event(event)));
        if self.links.lock().begin_writing(self.id, &id) {
            writer.send(frame).await?;
            self.links.lock().written(self.id, &id);
        }
        self.service.wake();
        Ok(())
    }

    /// The next message to write. `None` if the node stops and no message waits.
    pub(super) async fn next_outgoing(&self, queued: &mut mpsc::Receiver<Outgoing>) -> Option<Outgoing> {
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

    /// Sends welcome again whenever the nodes change, so that the instance opens a link to each.
    pub(super) async fn send_node_changes(&self, peer: &Peer, mut nodes: watch::Receiver<Arc<[String]>>) -> Ending {
        while nodes.changed().await.is_ok() {
            let welcome = self.welcome(peer, &nodes.borrow_and_update());
            if self.queue.send(Outgoing::Frame(welcome)).await.is_err() {
                return Ending::Lost;
            }
        }
        std::future::pending().await
    }

    /// Sends a ping to a silent peer, and ends the link if the peer stays silent.
    pub(super) async fn watch_heartbeat(&self) -> Ending {
        let heartbeat = self.services.links.heartbeat;
        loop {
            let last_received = self.last_received.get();
            sleep_until(last_received + heartbeat).await;
            if self.last_received.get() > last_received {
                continue;
            }
            // If the queue is full, a ping is useless, because the peer does not read.
            let _ = self.queue.try_send(Outgoing::Ping);
            sleep_until(last_received + 2 * heartbeat).await;
            if self.last_received.get() == last_received {
                return Ending::HeartbeatTimeout;
            }
        }
    }

    /// Closes the queue, and records the calls that were not written. The instance did not get them. Lifecycle events wait for another link.
    pub(super) fn close(mut self, queued: &mut mpsc::Receiver<Outgoing>) {
        queued.close();
        let (mut events, mut unwritten) = (0, Vec::new());
        while let Ok(next) = queued.try_recv() {
            match next {
                Outgoing::Frame(ToService::Call(call)) => drop(self.unsent.insert(call.id)),
                Outgoing::Frame(ToService::Event(_)) => events += 1,
                Outgoing::Lifecycle(event) => unwritten.push(event),
                // The pool has the deliveries of queues.
                Outgoing::Queued(_) | Outgoing::Frame(_) | Outgoing::Ping | Outgoing::Pong(_) => {}
            }
        }
        self.outlet.put_back(unwritten, self.services.now());
        self.services.counters.add_many(Count::EventLost, events);
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.links.lock().leave(self.id, &self.unsent, self.services.now());
        // There may be no instance left to wait for.
        self.service.wake();
        self.services.refresh_interests();
    }
}
