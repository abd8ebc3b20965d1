//! Stores the publications of a link. Publications of one channel are stored one after the other, those of different channels concurrently.

use super::{
    super::{counters::Count, instances::instance::Outgoing, services::Services},
    ending::Ending,
    frames::{link_error, malformed},
    messages::Peer,
};
use crate::{
    broker::Published,
    publish::{CallerIdentity, CallerKey, Draft, Publisher, permit},
};
use futures_util::{StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use gateway_core::model::{ErrorCode, Refusal};
use shared_proto::{
    content::ContentMembers,
    link::{Ack, Nack, Publish, ToService},
};
use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    rc::Rc,
};
use tokio::sync::mpsc;

/// Accepts publications for [`PublishQueues`], up to the limit.
pub(super) struct PublishIntake {
    queue: mpsc::Sender<Publish>,
    nacks: mpsc::Sender<Outgoing>,
    unacknowledged: Rc<Cell<u32>>,
    limit: u32,
}

impl PublishIntake {
    /// Queues a publication, or refuses it if too many are unacknowledged.
    pub(super) fn take(&self, publish: Publish) -> Result<(), Ending> {
        if self.unacknowledged.get() < self.limit {
            self.unacknowledged.update(|n| n + 1);
            return self.queue.try_send(publish).map_err(|_| Ending::Lost);
        }
        let detail = format!("{} publications are unacknowledged, the limit in welcome. Wait for acknowledgements.", self.limit);
        let nack = nack(publish.id, &Refusal::new(ErrorCode::TooManyRequests, detail));
        self.nacks
            .try_send(nack)
            .map_err(|_| malformed("The instance sent more publications than welcome allows, and does not read the answers."))
    }
}

/// Stores the publications that [`PublishIntake`] accepted.
pub(super) struct PublishQueues<'a> {
    publisher: &'a Publisher,
    peer: &'a Peer,
    services: &'a Services,
    incoming: mpsc::Receiver<Publish>,
    answers: mpsc::Sender<Outgoing>,
    unacknowledged: Rc<Cell<u32>>,
    /// Channels with a publication in progress, and the publications that wait for it.
    channels: HashMap<String, VecDeque<Publish>>,
    running: FuturesUnordered<LocalBoxFuture<'a, (String, Outgoing)>>,
}

impl<'a> PublishQueues<'a> {
    pub(super) fn new(
        publisher: &'a Publisher,
        peer: &'a Peer,
        services: &'a Services,
        answers: &mpsc::Sender<Outgoing>,
    ) -> (Self, PublishIntake) {
        let limit = services.links.publishes_in_flight.max(1);
        let (queue, incoming) = mpsc::channel(limit as usize);
        let unacknowledged = Rc::new(Cell::new(0));
        let intake = PublishIntake { queue, nacks: answers.clone(), unacknowledged: Rc::clone(&unacknowledged), limit };
        let (answers, channels, running) = (answers.clone(), HashMap::new(), FuturesUnordered::new());
        (Self { publisher, peer, services, incoming, answers, unacknowledged, channels, running }, intake)
    }

    /// Runs until the link ends.
    pub(super) async fn run(mut self) -> Ending {
        loop {
            tokio::select! {
                next = self.incoming.recv() => match next {
                    Some(publish) => self.intake(publish),
                    None => return Ending::Lost,
                },
                Some((channel, answer)) = self.running.next(), if !self.running.is_empty() => {
                    self.unacknowledged.update(|n| n - 1);
                    self.start_next(&channel);
                    if self.answers.send(answer).await.is_err() {
                        return Ending::Lost;
                    }
                }
            }
        }
    }

    fn intake(&mut self, publish: Publish) {
        if let Some(waiting) = self.channels.get_mut(&publish.channel) {
            waiting.push_back(publish);
        } else {
            self.channels.insert(publish.channel.clone(), VecDeque::new());
            self.start(publish);
        }
    }

    fn start_next(&mut self, channel: &str) {
        match self.channels.get_mut(channel).and_then(VecDeque::pop_front) {
            Some(next) => self.start(next),
            None => drop(self.channels.remove(channel)),
        }
    }

    fn start(&mut self, publish: Publish) {
        let (publisher, peer, counters) = (self.publisher, self.peer, &self.services.counters);
        self.running.push(Box::pin(async move {
            let (id, channel) = (publish.id, publish.channel.clone());
            let answer = match store(publisher, peer, publish).await {
                Ok(stored) => {
                    counters.add(Count::PublishAcked);
                    ack(id, stored)
                }
                Err(refusal) => {
                    counters.add(Count::PublishNacked);
                    nack(id, &refusal)
                }
            };
            (channel, answer)
        }));
    }
}

async fn store(publisher: &Publisher, peer: &Peer, publish: Publish) -> Result<Published, Refusal> {
    let api_key = peer.key.now()?;
    let key = publish.idempotency_key.map(|key| CallerKey::new(api_key.name(), &key)).transpose()?;
    let identity = CallerIdentity::new(key, publish.producer)?;
    let content = ContentMembers { data: publish.data, text: publish.text, data_base64: publish.data_base64 }.read()?;
    let draft = Draft::parse(&publish.channel, content, publish.tags, publish.ephemeral)?;
    permit(&api_key, &peer.audit, &draft.channel)?;
    publisher.publish(draft.within(publish.traceparent.map(Into::into), identity)).await
}

fn ack(id: u64, published: Published) -> Outgoing {
    let (epoch, offset) = published.position.map_or((String::new(), 0), |p| (p.epoch.to_string(), p.offset));
    Outgoing::Frame(ToService::Ack(Ack { id, epoch, offset }))
}

fn nack(id: u64, refusal: &Refusal) -> Outgoing {
    Outgoing::Frame(ToService::Nack(Nack { id, error: link_error(refusal) }))
}
