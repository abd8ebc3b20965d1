//! The task that owns the outbox: submissions in, frames out to the links, acknowledgements back.

use super::Config;
use super::outbox::{Expired, LinkId, Outbox};
use super::status::Counts;
use crate::client::Failure;
use crate::client::backoff::Backoff;
use crate::link::{Ack, Nack, Publish, ToGateway};
use crate::rest::PositionBody;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// Shortest and longest pause after a retryable refusal.
const REFUSED: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

type Waiter = oneshot::Sender<Result<PositionBody, Failure>>;

/// A publication on its way from a [`super::Publisher`].
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) publish: Publish,
    pub(super) deadline: Instant,
    pub(super) waiter: Waiter,
}

/// What a link tells the router.
#[derive(Debug)]
pub(super) enum LinkNews {
    Up { link: LinkId, node: String, window: usize, frames: mpsc::Sender<ToGateway> },
    Draining(LinkId),
    Ack(LinkId, Ack),
    Nack(LinkId, Nack),
    Down(LinkId),
}

pub(super) struct Router {
    outbox: Outbox<Waiter>,
    links: HashMap<LinkId, mpsc::Sender<ToGateway>>,
    counts: Arc<Counts>,
    /// Whether nothing is under way, for those who wait for it before they close.
    idle: watch::Sender<bool>,
}

impl Router {
    pub(super) fn new(config: &Config, counts: Arc<Counts>, idle: watch::Sender<bool>) -> Self {
        Self { outbox: Outbox::new(config.publish_queue), links: HashMap::new(), counts, idle }
    }

    /// Runs until every link task is gone.
    pub(super) async fn run(mut self, mut submissions: mpsc::Receiver<Submission>, mut news: mpsc::Receiver<LinkNews>) {
        loop {
            let wake = self.outbox.deadline();
            tokio::select! {
                told = news.recv() => match told {
                    Some(told) => self.hear(told),
                    None => return,
                },
                Some(submission) = submissions.recv(), if !self.outbox.is_full() => self.submit(submission),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            self.tick();
            self.send();
            self.counts.resent.store(self.outbox.resent(), Ordering::Relaxed);
            let idle = self.outbox.is_empty() && submissions.is_empty();
            self.idle.send_if_modified(|before| std::mem::replace(before, idle) != idle);
        }
    }

    fn submit(&mut self, submission: Submission) {
        self.outbox.submit(submission.publish, submission.deadline, submission.waiter);
    }

    fn hear(&mut self, news: LinkNews) {
        match news {
            LinkNews::Up { link, node, window, frames } => {
                self.outbox.link_up(link, node, window);
                self.links.insert(link, frames);
            }
            LinkNews::Draining(link) => self.outbox.link_draining(link),
            LinkNews::Ack(link, ack) => {
                if let Some(waiter) = self.outbox.ack(link, ack.id) {
                    self.counts.published.fetch_add(1, Ordering::Relaxed);
                    answer(waiter, Ok(PositionBody { epoch: ack.epoch, offset: ack.offset }));
                }
            }
            LinkNews::Nack(link, nack) => self.refused(link, nack),
            LinkNews::Down(link) => self.lose(link),
        }
    }

    fn refused(&mut self, link: LinkId, nack: Nack) {
        let id = nack.id;
        let failure = Failure::named(nack.error.code, nack.error.message, nack.error.retryable, None);
        if matches!(failure, Failure::Refused { .. }) {
            if let Some(waiter) = self.outbox.refuse(link, id) {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                answer(waiter, Err(failure));
            }
            return;
        }
        let landed = matches!(failure, Failure::Unknown { .. });
        let pauses = Backoff::new(REFUSED.0, REFUSED.1);
        self.outbox.retry(link, id, landed, Instant::now(), |refusals| pauses.pause_after(refusals));
    }

    fn lose(&mut self, link: LinkId) {
        self.links.remove(&link);
        self.outbox.link_down(link);
    }

    fn tick(&mut self) {
        for (waiter, expired) in self.outbox.tick(Instant::now()) {
            self.counts.expired.fetch_add(1, Ordering::Relaxed);
            answer(
                waiter,
                Err(match expired {
                    Expired::NeverTaken => Failure::unreachable("no gateway took the publication before its deadline"),
                    Expired::Unanswered => Failure::no_answer("no gateway confirmed the publication before its deadline"),
                }),
            );
        }
    }

    fn send(&mut self) {
        while let Some((link, publish)) = self.outbox.next_send() {
            let taken = self.links.get(&link).is_some_and(|frames| frames.try_send(ToGateway::Publish(publish)).is_ok());
            if !taken {
                // The queue has room for the whole window: a link that does not take a frame is gone.
                self.lose(link);
            }
        }
    }
}

/// Who no longer waits has given up the answer.
fn answer(waiter: Waiter, outcome: Result<PositionBody, Failure>) {
    let _gave_up = waiter.send(outcome);
}
