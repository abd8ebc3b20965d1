//! Takes what is due from the outbox to the gateway: one delivery per target at a time, many targets side by side.

mod attempt;
mod breaker;
mod lookout;

use crate::notification::{Millis, Target};
use crate::outbox::{Delivery, Outbox, Outcome, StoreError};
use crate::settings;
use attempt::Health;
use breaker::Breaker;
pub use lookout::Lookout;
use shared_proto::client::backoff::Backoff;
use shared_proto::client::rest::Gateway;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::Instrument;

/// How often the outbox is looked into without a reason: for what was scheduled, and for pauses that are over.
const LOOK: Duration = Duration::from_millis(100);
/// After a failure of the outbox itself.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Numbers since the start; `breaker_open` and `under_way` are current.
#[derive(Debug, Default)]
pub struct Counts {
    /// The gateway has them.
    pub delivered: AtomicU64,
    /// The gateway refused them for good.
    pub failed: AtomicU64,
    /// Attempts that are repeated.
    pub retried: AtomicU64,
    /// Deliveries under way.
    pub under_way: AtomicU64,
    /// Whether the gateway is left alone.
    pub breaker_open: AtomicBool,
}

/// How long the gateway remembers idempotency keys is shortened by this share, for clocks and requests on their way.
const WINDOW_SHARE: f64 = 0.9;

/// The courier's work: everything between outbox and gateway.
pub struct Courier {
    outbox: Outbox,
    gateway: Arc<Gateway>,
    settings: settings::Delivery,
    window: Duration,
    breaker: Breaker,
    under_way: JoinSet<Done>,
    busy: HashSet<Target>,
    counts: Arc<Counts>,
}

struct Done {
    target: Target,
    outcome: Outcome,
    health: Health,
    /// Whether the outcome is stored.
    stored: Result<(), StoreError>,
}

impl Courier {
    /// A courier between these two; `idempotency` is how long the gateway remembers keys.
    pub fn new(outbox: Outbox, gateway: Arc<Gateway>, settings: settings::Delivery, idempotency: Duration, counts: Arc<Counts>) -> Self {
        Self {
            outbox,
            gateway,
            settings,
            window: idempotency.mul_f64(WINDOW_SHARE),
            breaker: Breaker::new(settings.breaker_failures, Duration::from_millis(settings.breaker_pause_ms)),
            under_way: JoinSet::new(),
            busy: HashSet::new(),
            counts,
        }
    }

    /// Delivers until `leave` turns true, then lets what is under way finish.
    pub async fn run(mut self, mut leave: watch::Receiver<bool>) {
        while !*leave.borrow() {
            let pause = match self.begin().await {
                Ok(()) => LOOK,
                Err(error) => {
                    tracing::error!(%error, "nothing can be delivered");
                    STORE_PAUSE
                }
            };
            self.show();
            let again = self.breaker.reopens().unwrap_or_else(|| Instant::now() + pause);
            tokio::select! {
                Some(done) = self.under_way.join_next() => self.ended(done),
                () = self.outbox.news(), if self.breaker.reopens().is_none() => {}
                () = sleep_until(again) => {}
                _ = leave.wait_for(|leave| *leave) => break,
            }
            while let Some(done) = self.under_way.try_join_next() {
                self.ended(done);
            }
        }
        while let Some(done) = self.under_way.join_next().await {
            self.ended(done);
        }
    }

    /// Begins as many deliveries as may be.
    async fn begin(&mut self) -> Result<(), StoreError> {
        let room = self.settings.concurrency.saturating_sub(self.under_way.len());
        let allowed = self.breaker.allows(Instant::now(), room, self.under_way.len());
        if allowed == 0 {
            return Ok(());
        }
        // The first of a busy target is the one under way: it is left out below.
        let due = self.outbox.due(Millis::now(), allowed + self.busy.len()).await?;
        let mut begun = 0;
        for delivery in due {
            if begun < allowed && self.busy.insert(delivery.target.clone()) {
                self.spawn(delivery);
                begun += 1;
            }
        }
        Ok(())
    }

    fn spawn(&mut self, delivery: Delivery) {
        let (outbox, gateway, window) = (self.outbox.clone(), self.gateway.clone(), self.window);
        let first = Duration::from_millis(self.settings.backoff_first_ms);
        let pauses = Backoff::new(first, Duration::from_millis(self.settings.backoff_longest_ms));
        let span = tracing::info_span!("deliver", otel.kind = "client", delivery = delivery.id, attempt = delivery.attempts + 1);
        let work = async move {
            let (outcome, health) = attempt::deliver(&gateway, &delivery, window, pauses).await;
            let mut stored = outbox.settle(delivery.id.clone(), outcome.clone()).await;
            if stored.is_err() {
                // Unrecorded, it would be sent again at once: harmless under its key, but no use while the disk is full.
                sleep(STORE_PAUSE).await;
                stored = outbox.settle(delivery.id, outcome.clone()).await;
            }
            Done { target: delivery.target, outcome, health, stored }
        };
        self.under_way.spawn(work.instrument(span));
    }

    fn ended(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let done = match done {
            Ok(done) => done,
            Err(error) => {
                // Its target stays busy until the next start: better late than out of order.
                tracing::error!(%error, "a delivery broke off");
                return;
            }
        };
        self.busy.remove(&done.target);
        match done.health {
            Health::Answered => self.breaker.answered(),
            Health::Failing => self.breaker.failed(Instant::now()),
        }
        if let Err(error) = done.stored {
            tracing::error!(%error, target = %done.target, "an outcome was not recorded");
        }
        let counter = match done.outcome {
            Outcome::Delivered { .. } => &self.counts.delivered,
            Outcome::Failed { cause } => {
                tracing::warn!(target = %done.target, cause, "refused for good");
                &self.counts.failed
            }
            Outcome::Retry { cause, .. } => {
                tracing::info!(target = %done.target, cause, "will be tried again");
                &self.counts.retried
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn show(&self) {
        self.counts.under_way.store(self.under_way.len() as u64, Ordering::Relaxed);
        self.counts.breaker_open.store(self.breaker.is_open(), Ordering::Relaxed);
    }
}
