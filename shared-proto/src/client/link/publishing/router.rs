//! The task that owns the publish queue. It sends queued publications to the links and reports their outcomes.

use super::channel_queue::Expiry;
use super::input::{LinkUpdate, RouterReceivers, Submission, Waiter};
use super::links::LinkId;
use super::publish_queue::PublishQueue;
use crate::client::Failure;
use crate::client::backoff::Backoff;
use crate::client::link::counts::{Counts, increment};
use crate::link::{Nack, ToGateway};
use crate::rest::PositionBody;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// Shortest pause after a temporary refusal.
const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(50);
/// Longest pause after a temporary refusal.
const RETRY_PAUSE_LONGEST: Duration = Duration::from_secs(2);

pub(in crate::client::link) struct Router {
    queue: PublishQueue<Waiter>,
    links: HashMap<LinkId, mpsc::Sender<ToGateway>>,
    counts: Arc<Counts>,
    /// Whether every publication has its outcome. The shutdown waits for that.
    idle: watch::Sender<bool>,
}

impl Router {
    /// A router whose queue holds at most `limit` publications.
    pub(in crate::client::link) fn new(limit: usize, counts: Arc<Counts>, idle: watch::Sender<bool>) -> Self {
        Self { queue: PublishQueue::new(limit), links: HashMap::new(), counts, idle }
    }

    /// Runs until all link tasks have ended.
    pub(in crate::client::link) async fn run(mut self, RouterReceivers { mut submissions, mut updates }: RouterReceivers) {
        loop {
            let wake = self.queue.next_tick();
            tokio::select! {
                update = updates.recv() => match update {
                    Some(update) => self.handle_update(update),
                    None => return,
                },
                Some(submission) = submissions.recv(), if !self.queue.is_full() => self.submit(submission),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            self.tick();
            self.send();
            self.counts.resent.store(self.queue.resent(), Ordering::Relaxed);
            let idle = self.queue.is_empty() && submissions.is_empty();
            self.idle.send_if_modified(|before| std::mem::replace(before, idle) != idle);
        }
    }

    fn submit(&mut self, submission: Submission) {
        self.queue.submit(submission.publish, submission.deadline, submission.waiter);
    }

    fn handle_update(&mut self, update: LinkUpdate) {
        match update {
            LinkUpdate::Up { link, node, window, frames } => {
                self.queue.link_up(link, node, window);
                self.links.insert(link, frames);
            }
            LinkUpdate::Draining(link) => self.queue.link_draining(link),
            LinkUpdate::Ack(link, ack) => {
                if let Some(waiter) = self.queue.ack(link, ack.id) {
                    increment(&self.counts.published);
                    report(waiter, Ok(PositionBody { epoch: ack.epoch, offset: ack.offset }));
                }
            }
            LinkUpdate::Nack(link, nack) => self.handle_nack(link, nack),
            LinkUpdate::Down(link) => self.remove_link(link),
        }
    }

    fn handle_nack(&mut self, link: LinkId, nack: Nack) {
        let id = nack.id;
        let failure = Failure::named(nack.error, None);
        if matches!(failure, Failure::Refused { .. }) {
            if let Some(waiter) = self.queue.refuse(link, id) {
                increment(&self.counts.refused);
                report(waiter, Err(failure));
            }
            return;
        }
        let may_be_stored = matches!(failure, Failure::Unknown { .. });
        let pauses = Backoff::new(RETRY_PAUSE_FIRST, RETRY_PAUSE_LONGEST);
        self.queue.retry(link, id, may_be_stored, Instant::now(), |refusals| pauses.pause_after(refusals));
    }

    fn remove_link(&mut self, link: LinkId) {
        self.links.remove(&link);
        self.queue.link_down(link);
    }

    fn tick(&mut self) {
        for (waiter, expiry) in self.queue.tick(Instant::now()) {
            increment(&self.counts.expired);
            let failure = match expiry {
                Expiry::NotDone => Failure::unreachable("no gateway node accepted the publication before its deadline"),
                Expiry::Unknown => Failure::no_answer("no gateway node acknowledged the publication before its deadline"),
            };
            report(waiter, Err(failure));
        }
    }

    fn send(&mut self) {
        while let Some((link, publish)) = self.queue.next_send() {
            let sent = self.links.get(&link).is_some_and(|frames| frames.try_send(ToGateway::Publish(publish)).is_ok());
            if !sent {
                // The channel of frames has room for the whole window, so its receiver is gone: the link is lost.
                self.remove_link(link);
            }
        }
    }
}

/// Reports the outcome. If the caller no longer waits, the outcome is dropped.
fn report(waiter: Waiter, outcome: Result<PositionBody, Failure>) {
    let _no_receiver = waiter.send(outcome);
}
