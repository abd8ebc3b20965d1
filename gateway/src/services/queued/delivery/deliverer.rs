//! Takes the deliveries of one partition to the service.

use super::{
    super::{event, service_queue::ServiceQueue},
    in_hand::{InHand, Reporter},
    to_webhook,
};
use crate::{
    queues::Delivery,
    services::{carrier::Carrier, service::Service, services::Services, webhook::request::Outbound},
};
use shared_proto::link::Event;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Takes the deliveries of one partition to the service.
pub(in crate::services::queued) struct Deliverer {
    pub(in crate::services::queued) services: Arc<Services>,
    pub(in crate::services::queued) service: Arc<Service>,
    pub(in crate::services::queued) reporter: Reporter,
    pub(in crate::services::queued) in_hand: TaskTracker,
}

impl Deliverer {
    /// Passes on what the owner hands out, one after the other, until the owner ends. Without room at the service it waits, which is no try.
    pub(in crate::services::queued) async fn run(&self, queue: &ServiceQueue, deliveries: &mut mpsc::Receiver<Delivery>) {
        while let Some(delivery) = deliveries.recv().await {
            let in_hand = InHand::new(self.reporter.clone(), &delivery, self.in_hand.token());
            match (event::of_delivery(&delivery), &self.service.carrier) {
                (Err(detail), _) => in_hand.failed(false, None, detail),
                (Ok(event), Carrier::Links(_)) => self.over_links(queue, event, in_hand).await,
                (Ok(event), Carrier::Webhook(_)) => self.by_request(queue, Outbound::queued(event), in_hand).await,
                // Nobody owns a partition of a service that the gateways do not reach.
                (Ok(_), Carrier::Queue(_)) => drop(in_hand),
            }
        }
    }

    /// Takes no delivery to the service any more, until the owner ends.
    pub(in crate::services::queued) async fn send_back(&self, deliveries: &mut mpsc::Receiver<Delivery>) {
        while let Some(delivery) = deliveries.recv().await {
            drop(InHand::new(self.reporter.clone(), &delivery, self.in_hand.token()));
        }
    }

    async fn over_links(&self, queue: &ServiceQueue, mut event: Event, mut in_hand: InHand) {
        let Some(links) = self.service.links() else { return };
        // By then its owner has counted a try.
        let forget_after = 2 * queue.config.visibility;
        while in_hand.may_be_written() {
            match links.lock().deliver(event, in_hand, forget_after, self.services.now()) {
                None => return queue.wake(),
                Some(kept) => (event, in_hand) = kept,
            }
            queue.room().await;
        }
    }

    async fn by_request(&self, queue: &ServiceQueue, mut outbound: Outbound, mut in_hand: InHand) {
        let Carrier::Webhook(webhook) = &self.service.carrier else { return };
        while in_hand.may_be_written() {
            match to_webhook::send(webhook, &self.service, outbound, in_hand) {
                None => return queue.wake(),
                Some(kept) => (outbound, in_hand) = kept,
            }
            queue.room().await;
        }
    }
}
