//! The subscriber connection of a master, and its task.
//!
//! The connection carries only subscriptions and deliveries. After a break, a new connection subscribes to all channels again, some of them
//! at a time. Then every channel with a history is checked, because Redis did not deliver what was published in between.

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

/// Largest number of channels in one group of subscribe commands. Redis confirms so many in well under a second.
const CHUNK: usize = 1000;
/// Time between two checks for channels to unsubscribe from.
const SWEEP: Duration = Duration::from_millis(250);
/// Pause after a subscription that another master must serve.
const PAUSE: Duration = Duration::from_millis(50);

/// The subscriber connection of a master.
pub(crate) struct SubscriberConnection {
    pub(crate) context: Arc<ListenerContext>,
    pub(crate) master: Master,
    pub(crate) connector: Arc<Connector>,
}

impl SubscriberConnection {
    /// Connects and reconnects until cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.listen()).await;
    }

    async fn listen(&self) {
        let (mut pause, part) = (pauses(), HealthPart::Subscriber(self.master));
        loop {
            let receiver = Arc::new(PushReceiver::new());
            let handler = receiver.clone().handler(
                self.master,
                self.context.keys.clone(),
                self.context.subscriptions.clone(),
                self.context.masters.clone(),
            );
            match self.connector.subscriber(handler).await {
                Ok((connection, server)) => {
                    let Err(broken) = self.serve(connection, &server, &receiver, || pause = pauses()).await;
                    self.context.subscriptions.disconnected(self.master);
                    self.context.counters.broken.add(1);
                    let address = self.connector.address();
                    let problem = format!("the subscriber connection to Redis at {address} was lost: {broken}");
                    self.context.health.set_failed(part, &problem);
                    tracing::warn!(%address, %broken, "the subscriber connection to Redis was lost: reconnecting");
                }
                Err(error) => self.context.health.warn(part, &error.to_string()),
            }
            self.context.masters.request_refresh();
            sleep(pause.next().unwrap_or_default()).await;
        }
    }

    async fn serve(
        &self,
        mut connection: MultiplexedConnection,
        server: &Server,
        receiver: &PushReceiver,
        on_ready: impl FnOnce(),
    ) -> Result<Infallible, Broken> {
        let (mut on_ready, mut checks) = (Some(on_ready), JoinSet::new());
        let (mut topology, changed) = (self.context.masters.watch_topology(), self.context.subscriptions.changes(self.master));
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut canaries = pin!(self.canaries(receiver));
        let mut server_changed = pin!(self.connector.server_changed(server));
        loop {
            self.subscribe_canary(&mut connection, receiver).await?;
            while self.subscribe_some(&mut connection, receiver, &mut checks).await?
                || self.unsubscribe_some(&mut connection, receiver).await?
            {}
            if let Some(on_ready) = on_ready.take() {
                on_ready();
            }
            self.context.health.set_working(HealthPart::Subscriber(self.master));
            tokio::select! {
                () = receiver.closed.cancelled() => return Err(Broken::Closed),
                () = &mut server_changed => return Err(Broken::ServerChanged),
                () = changed.notified() => {}
                Ok(()) = topology.changed() => {}
                _ = sweep.tick() => {}
                Err(broken) = &mut canaries => return Err(broken),
                Some(_) = checks.join_next() => {}
            }
        }
    }

    /// Subscribes to the pub/sub channel of the canary, which moves with the master's slots.
    async fn subscribe_canary(&self, connection: &mut MultiplexedConnection, receiver: &PushReceiver) -> Result<(), Broken> {
        let before = receiver.canary.borrow().clone();
        let Some(channel) = self.canary_channel().filter(|channel| before.as_ref() != Some(channel)) else { return Ok(()) };
        let confirmed = self.send(connection, receiver, self.pubsub().subscribe(from_ref(&channel))).await?;
        if !confirmed.contains(&channel) {
            return self.refused(connection, &channel).await;
        }
        receiver.canary.send_replace(Some(channel));
        let commands = self.pubsub().unsubscribe(before.as_slice());
        self.send(connection, receiver, commands).await.map(drop)
    }

    async fn subscribe_some(
        &self,
        connection: &mut MultiplexedConnection,
        receiver: &PushReceiver,
        checks: &mut JoinSet<()>,
    ) -> Result<bool, Broken> {
        let names = self.context.subscriptions.next_subscribe(self.master, CHUNK);
        if names.is_empty() {
            return Ok(false);
        }
        let confirmed = self.send(connection, receiver, self.pubsub().subscribe(&self.pubsub_channels(&names))).await?;
        let (names, others): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| confirmed.contains(&self.context.keys.pubsub_channel(name)));
        self.context.channel_index.add(&names);
        let resumed = self.context.subscriptions.subscribed(self.master, &names, &others);
        if !resumed.is_empty() {
            self.context.counters.resubscribed.add(resumed.len() as u64);
            let audit = self.context.audit.clone();
            checks.spawn(async move { audit.check(resumed).await });
        }
        if let Some(other) = others.first() {
            self.refused(connection, &self.context.keys.pubsub_channel(other)).await?;
        }
        Ok(others.is_empty())
    }

    async fn unsubscribe_some(&self, connection: &mut MultiplexedConnection, receiver: &PushReceiver) -> Result<bool, Broken> {
        let names = self.context.subscriptions.next_unsubscribe(self.master, CHUNK);
        if names.is_empty() {
            return Ok(false);
        }
        self.send(connection, receiver, self.pubsub().unsubscribe(&self.pubsub_channels(&names))).await?;
        // If the master does not confirm, it no longer serves the slot, and has ended the subscription itself.
        self.context.subscriptions.unsubscribed(self.master, &names);
        Ok(true)
    }

    /// Sends these commands, and waits for the confirmations. Returns the pub/sub channels whose subscription was confirmed.
    async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        receiver: &PushReceiver,
        commands: Vec<Cmd>,
    ) -> Result<HashSet<String>, Broken> {
        let number = receiver.next_sync_marker();
        for command in commands {
            connection.req_packed_command(&command).await?;
        }
        connection.req_packed_command(&PubSub::sync_marker(&self.context.keys.sync_marker(number))).await?;
        timeout(self.context.response_timeout, receiver.wait_for_marker(number)).await.unwrap_or(Err(Broken::NoConfirmation))
    }

    /// Handles a subscription that was not confirmed. Sends the command once more, to get the error. No other command is in flight, so the
    /// answer belongs to this command. If another master serves the slot, the connection stays.
    async fn refused(&self, connection: &mut MultiplexedConnection, pubsub_channel: &str) -> Result<(), Broken> {
        let mut again = redis::cmd(self.pubsub().subscribe_command());
        again.arg(pubsub_channel);
        match connection.req_packed_command(&again).await? {
            Value::ServerError(error) if !matches!(error.code(), "MOVED" | "ASK" | "CLUSTERDOWN" | "TRYAGAIN") => {
                Err(Broken::Refused(format!("{} {}", error.code(), error.details().unwrap_or_default())))
            }
            _ => {
                self.context.masters.request_refresh();
                sleep(PAUSE).await;
                Ok(())
            }
        }
    }

    fn pubsub(&self) -> PubSub {
        self.context.masters.pubsub()
    }

    fn pubsub_channels(&self, names: &[ChannelName]) -> Vec<String> {
        names.iter().map(|name| self.context.keys.pubsub_channel(name)).collect()
    }
}
