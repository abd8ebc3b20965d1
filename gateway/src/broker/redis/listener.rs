//! The connection that subscribes, and the task that owns it.
//!
//! It carries nothing but subscriptions and their deliveries. When it breaks, the next one subscribes to everything anew, in chunks; every channel with
//! a history that workers relied on is then looked at, since what came in between was announced to nobody. Whether it still hears is put to the test:
//! a canary goes through Redis as a publication does, and has to come back.

use super::{
    audit::Audit,
    connect::{Connector, Server, pauses},
    health::{Health, Part},
    keys::Keys,
    lane::{Again, Command, Lane},
    stats::Counters,
    subscriptions::Subscriptions,
};
use crate::model::ChannelName;
use redis::{PushInfo, PushKind, RedisError, Value, aio::MultiplexedConnection};
use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Channels of one command: its answer comes well within a second.
const CHUNK: usize = 1000;
/// How often it is looked for what may be unsubscribed.
const SWEEP: Duration = Duration::from_millis(250);

/// After so many pauses between canaries a connection has delivered, or was found not to: one pause, two for the canary's return, one for the
/// channels to be subscribed to anew.
pub(super) const PROVEN: u32 = 4;

/// See the module.
pub(super) struct Listener {
    pub(super) connector: Arc<Connector>,
    pub(super) subscriptions: Arc<Subscriptions>,
    pub(super) audit: Arc<Audit>,
    pub(super) keys: Keys,
    pub(super) health: Arc<Health>,
    pub(super) counters: Arc<Counters>,
    /// The canary's name in the cluster, and its way to Redis.
    pub(super) node: Arc<str>,
    pub(super) lane: Arc<Lane>,
    /// Between canaries.
    pub(super) canary: Duration,
}

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("it was closed")]
    Closed,
    #[error("{0}")]
    Failed(#[from] RedisError),
    #[error("it does not deliver any more: a canary was published and did not come back")]
    Deaf,
    #[error("the address leads to another Redis by now")]
    Left,
}

/// What a connection's own task tells the listener.
struct Signals {
    ended: Notify,
    /// The number of the last canary that came back.
    heard: watch::Sender<u64>,
}

impl Listener {
    /// Keeps a connection until cancelled.
    pub(super) async fn run(self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.listen()).await;
    }

    async fn listen(&self) {
        let mut pause = pauses();
        loop {
            let signals = Arc::new(Signals { ended: Notify::new(), heard: watch::Sender::new(0) });
            match self.connector.subscriber(self.taker(signals.clone())).await {
                Ok((connection, server)) => {
                    let Err(broken) = self.serve(connection, &server, &signals, || pause = pauses()).await;
                    self.subscriptions.disconnected();
                    self.counters.broken.add(1);
                    self.health.trouble(Part::Listener, &format!("the connection to Redis that subscribes was lost: {broken}"));
                    tracing::warn!(%broken, "the connection to Redis that subscribes was lost");
                }
                Err(trouble) => {
                    if self.health.trouble(Part::Listener, &trouble.to_string()) {
                        tracing::warn!(part = ?Part::Listener, "{trouble}");
                    }
                }
            }
            sleep(pause.next().unwrap_or_default()).await;
        }
    }

    /// What the connection does with what comes, on its own task.
    fn taker(&self, signals: Arc<Signals>) -> impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static {
        let (subscriptions, canary) = (self.subscriptions.clone(), self.keys.canary(&self.node));
        move |PushInfo { kind, data }| {
            match (kind, &data[..]) {
                (PushKind::Message, [Value::BulkString(lane), Value::BulkString(message)]) => {
                    if lane == canary.as_bytes() {
                        let number = std::str::from_utf8(message).ok().and_then(|number| number.parse().ok());
                        signals.heard.send_replace(number.unwrap_or(0));
                    } else {
                        subscriptions.deliver(lane, message);
                    }
                }
                (PushKind::Disconnection, _) => signals.ended.notify_one(),
                _ => {}
            }
            Ok(())
        }
    }

    async fn serve(
        &self,
        mut connection: MultiplexedConnection,
        server: &Server,
        signals: &Signals,
        up: impl FnOnce(),
    ) -> Result<Infallible, Broken> {
        connection.subscribe(self.keys.canary(&self.node)).await?;
        let mut up = Some(up);
        let mut checks = JoinSet::new();
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut canaries = pin!(self.canaries(signals));
        let mut left = pin!(self.connector.left(server));
        loop {
            while self.subscribe_some(&mut connection, &mut checks).await? || self.unsubscribe_some(&mut connection).await? {}
            if let Some(up) = up.take() {
                up();
                self.health.well(Part::Listener);
            }
            tokio::select! {
                () = signals.ended.notified() => return Err(Broken::Closed),
                () = &mut left => return Err(Broken::Left),
                () = self.subscriptions.wanted() => {}
                _ = sweep.tick() => {}
                Err(deaf) = &mut canaries => return Err(deaf),
                Some(_) = checks.join_next() => {}
            }
        }
    }

    async fn subscribe_some(&self, connection: &mut MultiplexedConnection, checks: &mut JoinSet<()>) -> Result<bool, Broken> {
        let names = self.subscriptions.next_subscribe(CHUNK);
        if names.is_empty() {
            return Ok(false);
        }
        connection.subscribe(self.lanes(&names)).await?;
        let resumed = self.subscriptions.subscribed(&names);
        if !resumed.is_empty() {
            self.counters.resubscribed.add(resumed.len() as u64);
            let audit = self.audit.clone();
            checks.spawn(async move { audit.resumed(resumed).await });
        }
        Ok(true)
    }

    async fn unsubscribe_some(&self, connection: &mut MultiplexedConnection) -> Result<bool, Broken> {
        let names = self.subscriptions.next_unsubscribe(CHUNK);
        if names.is_empty() {
            return Ok(false);
        }
        connection.unsubscribe(self.lanes(&names)).await?;
        self.subscriptions.unsubscribed(&names);
        Ok(true)
    }

    /// Sends one canary after the other. Ends when one does not come back.
    async fn canaries(&self, signals: &Signals) -> Result<Infallible, Broken> {
        let mut heard = signals.heard.subscribe();
        for number in 1u64.. {
            let mut cmd = redis::cmd("PUBLISH");
            cmd.arg(self.keys.canary(&self.node)).arg(number);
            let sent = Instant::now();
            if let Err(error) = self.lane.run(Command { cmd, order: None, again: Again::Never }).await {
                // That is no fault of this connection.
                self.health.trouble(Part::Canary, &error.to_string());
            } else if matches!(timeout(2 * self.canary, heard.wait_for(|heard| *heard >= number)).await, Ok(Ok(_))) {
                self.health.well(Part::Canary);
                self.counters.round_trip_ms.store(sent.elapsed().as_millis() as u64, Relaxed);
            } else {
                self.counters.deaf.add(1);
                self.health.trouble(Part::Canary, "what is published does not come back from Redis; subscribing anew");
                return Err(Broken::Deaf);
            }
            sleep(self.canary).await;
        }
        std::future::pending().await
    }

    fn lanes(&self, names: &[ChannelName]) -> Vec<String> {
        names.iter().map(|name| self.keys.lane(name)).collect()
    }
}
