//! Starts the deliveries that are due, and handles their outcomes.

use super::attempt::{self, GatewayHealth};
use super::breaker::Breaker;
use super::counts::Counts;
use crate::notification::{Millis, Target};
use crate::outbox::{Delivery, Outbox, Outcome, StoreError};
use crate::settings;
use shared_proto::client::backoff::Backoff;
use shared_proto::client::rest::Gateway;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::Instrument;

/// How often the outbox is read for scheduled notifications and for retries.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Pause after a failure of the outbox.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// The notifier relies on an idempotency key for this fraction of the time for which the gateway remembers it. The rest is a reserve for
/// different clocks and requests in flight.
const KEY_LIFETIME_SHARE: f64 = 0.9;

/// Starts deliveries, at most one per target.
pub struct Dispatcher {
    outbox: Outbox,
    gateway: Arc<Gateway>,
    settings: settings::Delivery,
    key_lifetime: Duration,
    breaker: Breaker,
    in_flight: JoinSet<Finished>,
    busy_targets: HashSet<Target>,
    counts: Arc<Counts>,
}

/// A finished attempt.
struct Finished {
    target: Target,
    outcome: Outcome,
    health: GatewayHealth,
    /// Whether the outbox recorded the outcome.
    recorded: Result<(), StoreError>,
}

impl Dispatcher {
    /// Delivers from `outbox` to `gateway`. `idempotency` is how long the gateway remembers keys.
    pub fn new(outbox: Outbox, gateway: Arc<Gateway>, settings: settings::Delivery, idempotency: Duration, counts: Arc<Counts>) -> Self {
        Self {
            outbox,
            gateway,
            settings,
            key_lifetime: idempotency.mul_f64(KEY_LIFETIME_SHARE),
            breaker: Breaker::new(settings.breaker_failures, Duration::from_millis(settings.breaker_pause_ms)),
            in_flight: JoinSet::new(),
            busy_targets: HashSet::new(),
            counts,
        }
    }

    /// Delivers until `stop` is true. Then waits for the deliveries in flight.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let pause = match self.start_due().await {
                Ok(()) => POLL_INTERVAL,
                Err(error) => {
                    tracing::error!(%error, "due deliveries could not be read from the outbox");
                    STORE_PAUSE
                }
            };
            self.update_counts();
            let next_poll = self.breaker.retry_at().unwrap_or_else(|| Instant::now() + pause);
            tokio::select! {
                Some(finished) = self.in_flight.join_next() => self.handle_finished(finished),
                () = self.outbox.wait_for_accepted(), if self.breaker.retry_at().is_none() => {}
                () = sleep_until(next_poll) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            while let Some(finished) = self.in_flight.try_join_next() {
                self.handle_finished(finished);
            }
        }
        while let Some(finished) = self.in_flight.join_next().await {
            self.handle_finished(finished);
        }
    }

    /// Starts as many due deliveries as are allowed.
    async fn start_due(&mut self) -> Result<(), StoreError> {
        let room = self.settings.concurrency.saturating_sub(self.in_flight.len());
        let allowed = self.breaker.allowed_attempts(Instant::now(), room, self.in_flight.len());
        if allowed == 0 {
            return Ok(());
        }
        // The due delivery of a busy target is the one in flight. It is skipped below.
        let due = self.outbox.due(Millis::now(), allowed + self.busy_targets.len()).await?;
        let mut started = 0;
        for delivery in due {
            if started < allowed && self.busy_targets.insert(delivery.target.clone()) {
                self.start(delivery);
                started += 1;
            }
        }
        Ok(())
    }

    fn start(&mut self, delivery: Delivery) {
        let (outbox, gateway, key_lifetime) = (self.outbox.clone(), self.gateway.clone(), self.key_lifetime);
        let first = Duration::from_millis(self.settings.backoff_first_ms);
        let pauses = Backoff::new(first, Duration::from_millis(self.settings.backoff_longest_ms));
        let span = tracing::info_span!("deliver", otel.kind = "client", delivery = delivery.id, attempt = delivery.attempts + 1);
        let work = async move {
            let (outcome, health) = attempt::deliver(&gateway, &delivery, key_lifetime, pauses).await;
            let mut recorded = outbox.record_outcome(delivery.id.clone(), outcome.clone()).await;
            if recorded.is_err() {
                // Without a record the delivery is due again at once. Its key makes a repeat harmless, but useless while the disk is full.
                sleep(STORE_PAUSE).await;
                recorded = outbox.record_outcome(delivery.id, outcome.clone()).await;
            }
            Finished { target: delivery.target, outcome, health, recorded }
        };
        self.in_flight.spawn(work.instrument(span));
    }

    fn handle_finished(&mut self, finished: Result<Finished, tokio::task::JoinError>) {
        let finished = match finished {
            Ok(finished) => finished,
            Err(error) => {
                // The outcome is unknown, so the target stays busy until the next start: later deliveries must not overtake this one.
                tracing::error!(%error, "the task of a delivery panicked; its target gets no deliveries until the next start");
                return;
            }
        };
        self.busy_targets.remove(&finished.target);
        match finished.health {
            GatewayHealth::Answered => self.breaker.answered(),
            GatewayHealth::Failing => self.breaker.failed(Instant::now()),
        }
        if let Err(error) = finished.recorded {
            tracing::error!(%error, target = %finished.target, "the outcome of a delivery was not recorded; the delivery is repeated");
        }
        let counter = match finished.outcome {
            Outcome::Delivered { .. } => &self.counts.delivered,
            Outcome::Failed { cause } => {
                tracing::warn!(target = %finished.target, cause, "the gateway refused a delivery permanently");
                &self.counts.failed
            }
            Outcome::Retry { cause, .. } => {
                tracing::info!(target = %finished.target, cause, "a delivery failed and is repeated later");
                &self.counts.retried
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn update_counts(&self) {
        self.counts.in_flight.store(self.in_flight.len() as u64, Ordering::Relaxed);
        self.counts.breaker_open.store(self.breaker.is_open(), Ordering::Relaxed);
    }
}
