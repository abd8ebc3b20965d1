//! The connection that subscribes to a master's channels, and the task that owns it.
//!
//! It carries nothing but subscriptions and their deliveries. When it breaks, the next one subscribes to everything anew, in chunks; every channel with
//! a history that workers relied on is then looked at, since what came in between was announced to nobody.

use super::{
    context::ListenerContext,
    push_receiver::{Broken, PushReceiver},
};
use crate::broker::redis::{
    schema::pubsub::PubSub,
    servers::{
        connect::{connector::Connector, server::Server, timing::pauses},
        health::HealthPart,
        topology::Master,
    },
};
use gateway_core::model::ChannelName;
use redis::{
    Cmd, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
};
use std::{collections::HashSet, convert::Infallible, pin::pin, slice::from_ref, sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Channels that are confirmed together: that takes well under a second.
const CHUNK: usize = 1000;
/// How often it is looked for what may be unsubscribed.
const SWEEP: Duration = Duration::from_millis(250);
/// Before a master that refused is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// See the module.
pub(crate) struct SubscriberConnection {
    pub(crate) all: Arc<ListenerContext>,
    pub(crate) master: Master,
    pub(crate) connector: Arc<Connector>,
}

impl SubscriberConnection {
    /// Keeps a connection until cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.listen()).await;
    }

    async fn listen(&self) {
        let (mut pause, part) = (pauses(), HealthPart::Listener(self.master));
        loop {
            let line = Arc::new(PushReceiver::new());
            let taker = line.clone().taker(self.master, self.all.keys.clone(), self.all.subscriptions.clone(), self.all.masters.clone());
            match self.connector.subscriber(taker).await {
                Ok((connection, server)) => {
                    let Err(broken) = self.serve(connection, &server, &line, || pause = pauses()).await;
                    self.all.subscriptions.disconnected(self.master);
                    self.all.counters.broken.add(1);
                    let address = self.connector.address();
                    self.all.health.trouble(part, &format!("the connection to Redis at {address} that subscribes was lost: {broken}"));
                    tracing::warn!(%address, %broken, "the connection to Redis that subscribes was lost");
                }
                Err(trouble) => self.all.health.warn(part, &trouble.to_string()),
            }
            self.all.masters.doubt();
            sleep(pause.next().unwrap_or_default()).await;
        }
    }

    async fn serve(
        &self,
        mut connection: MultiplexedConnection,
        server: &Server,
        line: &PushReceiver,
        up: impl FnOnce(),
    ) -> Result<Infallible, Broken> {
        let (mut up, mut checks) = (Some(up), JoinSet::new());
        let (mut changes, told) = (self.all.masters.map(), self.all.subscriptions.told(self.master));
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut canaries = pin!(self.canaries(line));
        let mut left = pin!(self.connector.left(server));
        loop {
            self.place_canary(&mut connection, line).await?;
            while self.subscribe_some(&mut connection, line, &mut checks).await? || self.unsubscribe_some(&mut connection, line).await? {}
            if let Some(up) = up.take() {
                up();
            }
            self.all.health.well(HealthPart::Listener(self.master));
            tokio::select! {
                () = line.ended.cancelled() => return Err(Broken::Closed),
                () = &mut left => return Err(Broken::OrphanedPresence),
                () = told.notified() => {}
                Ok(()) = changes.changed() => {}
                _ = sweep.tick() => {}
                Err(deaf) = &mut canaries => return Err(deaf),
                Some(_) = checks.join_next() => {}
            }
        }
    }

    /// Listens for the canary where it will be published.
    async fn place_canary(&self, connection: &mut MultiplexedConnection, line: &PushReceiver) -> Result<(), Broken> {
        let before = line.canary.borrow().clone();
        let Some(place) = self.canary_channel().filter(|place| before.as_ref() != Some(place)) else { return Ok(()) };
        let confirmed = self.tell(connection, line, self.words().subscribe(from_ref(&place))).await?;
        if !confirmed.contains(&place) {
            return self.refused(connection, &place).await;
        }
        line.canary.send_replace(Some(place));
        let words = self.words().unsubscribe(before.as_slice());
        self.tell(connection, line, words).await.map(drop)
    }

    async fn subscribe_some(
        &self,
        connection: &mut MultiplexedConnection,
        line: &PushReceiver,
        checks: &mut JoinSet<()>,
    ) -> Result<bool, Broken> {
        let names = self.all.subscriptions.next_subscribe(self.master, CHUNK);
        if names.is_empty() {
            return Ok(false);
        }
        let confirmed = self.tell(connection, line, self.words().subscribe(&self.lanes(&names))).await?;
        let (names, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| confirmed.contains(&self.all.keys.lane(name)));
        self.all.names.add(&names);
        let resumed = self.all.subscriptions.subscribed(self.master, &names, &others);
        if !resumed.is_empty() {
            self.all.counters.resubscribed.add(resumed.len() as u64);
            let audit = self.all.audit.clone();
            checks.spawn(async move { audit.resumed(resumed).await });
        }
        if let Some(other) = others.first() {
            self.refused(connection, &self.all.keys.lane(other)).await?;
        }
        Ok(others.is_empty())
    }

    async fn unsubscribe_some(&self, connection: &mut MultiplexedConnection, line: &PushReceiver) -> Result<bool, Broken> {
        let names = self.all.subscriptions.next_unsubscribe(self.master, CHUNK);
        if names.is_empty() {
            return Ok(false);
        }
        self.tell(connection, line, self.words().unsubscribe(&self.lanes(&names))).await?;
        // A master that did not confirm does not serve the slot any more, and has ended the subscription by itself.
        self.all.subscriptions.unsubscribed(self.master, &names);
        Ok(true)
    }

    /// Sends these; answers what was subscribed by them.
    async fn tell(&self, connection: &mut MultiplexedConnection, line: &PushReceiver, words: Vec<Cmd>) -> Result<HashSet<String>, Broken> {
        let number = line.next_sync_marker();
        for words in words {
            connection.req_packed_command(&words).await?;
        }
        connection.req_packed_command(&PubSub::sync_marker(&self.all.keys.sync_marker(number))).await?;
        timeout(self.all.patience, line.passed(number)).await.unwrap_or(Err(Broken::Silent))
    }

    /// The master did not confirm a subscription. Asks it why: nothing else is under way, so that the answer is to this question. A slot that is served
    /// elsewhere is no fault of this connection.
    async fn refused(&self, connection: &mut MultiplexedConnection, lane: &str) -> Result<(), Broken> {
        let mut again = redis::cmd(self.words().subscribe_word());
        again.arg(lane);
        match connection.req_packed_command(&again).await? {
            Value::ServerError(error) if !matches!(error.code(), "MOVED" | "ASK" | "CLUSTERDOWN" | "TRYAGAIN") => {
                Err(Broken::Refused(format!("{} {}", error.code(), error.details().unwrap_or_default())))
            }
            _ => {
                self.all.masters.doubt();
                sleep(PAUSE).await;
                Ok(())
            }
        }
    }

    fn words(&self) -> PubSub {
        self.all.masters.pubsub()
    }

    fn lanes(&self, names: &[ChannelName]) -> Vec<String> {
        names.iter().map(|name| self.all.keys.lane(name)).collect()
    }
}
