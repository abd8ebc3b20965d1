//! The broker of a cluster: what nodes share lives in Redis (6.2 or newer), one or several, a Redis Cluster (7.0), or Valkey.
//!
//! - [`keys`]: the names of everything that is kept there; [`escape`]: channels and users as parts of them; [`scripts`]: what happens there at one moment;
//!   [`codec`]: publications as bytes
//! - [`masters`]: one server, several, or those of a Redis Cluster, each with its [`slot`]s; [`topology`]: which has which; [`scan`]: all keys of all
//! - [`connect`]: connections; [`lane`]: those that carry commands, in order, through every interruption; [`listener`]: those that subscribe; [`pubsub`]: the
//!   words for it
//! - [`roster`], [`subscriptions`]: which channels this node needs; [`audit`]: whether its workers have what the streams hold
//! - [`streams`]: publish and read; [`presence`]: who is where; [`directory`]: users' subscriptions and revocations
//! - [`names`]: channels by name; [`listing`]: those that are active
//! - [`nodes`]: who shares all this; [`roll`]: who is connected to them; [`sweep`]: what the dead leave behind
//! - [`health`], [`stats`]: what keeps it from serving, what it counts; [`clock`]: what time it is there
//!
//! # Why nothing is lost
//!
//! *One order.* A publish is one script: it takes the next offset, stores, and announces at the very end. So announcements come in the order of offsets, and
//! whoever subscribes sees a gap as a jump.
//!
//! *A publish whose answer was lost* is sent again under its id, ahead of everything newer of its channel, until its deadline; the script answers a repeat with
//! what the first did, and refuses what comes after the deadline. So `unavailable` means that it never happened.
//!
//! *A publish that Redis refused while it carried out the next one* must not be stored behind it. Where the answers come it fails at once; where they are lost
//! it is sent again with the ids of those behind it, and the script refuses it if it finds one of them. What the broken connection still brings cannot come in between: the
//! next one has the server end it first.
//!
//! *A connection that breaks* loses announcements. The next one subscribes anew, and only then the streams' tops are read and handed to the workers, which
//! compare them with their own positions and read what they lack. What was published before the subscription is in the stream by then, what comes after it is announced.
//!
//! *A connection that goes deaf* is found by a canary within seconds, a channel that does by the audit.
//!
//! *A slot that moves* to another master of a Redis Cluster is, for its channels, a connection that breaks: they are subscribed at their new master, and looked
//! at. Commands wait there until what is under way at the old master was answered, so that the order stays.
//!
//! *A server that restarted or was replaced* may have forgotten what it had acknowledged. Its data then carries another identity: scripts begin a new epoch
//! that remembers where it left the old one, so that positions before the fork go on, and positions after it are told.

mod audit;
mod clock;
mod codec;
mod connect;
mod directory;
mod escape;
mod health;
mod keys;
mod lane;
mod listener;
mod listing;
mod masters;
mod names;
mod nodes;
mod presence;
mod pubsub;
mod roll;
mod roster;
mod scan;
mod scripts;
mod slot;
mod stats;
mod streams;
mod subscriptions;
mod sweep;
mod topology;

#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;

use super::{
    Announcement, BrokerError, BrokerStats, ChannelSummary, Mailbox, NewPublication, Page, PageLimit, PresenceStats, Published, Readiness,
    RedisStats, Retention, Revocation, Span, UserSubscription, lock,
};
use crate::model::{ChannelName, ClientInfo, ConnectionId, UserId, WorkerId};
use audit::Audit;
pub use connect::Address;
use connect::{Claims, Probe, Timeouts};
use directory::Directory;
use health::Health;
use keys::Keys;
use lane::{Driver, LaneLimits};
use listener::Listener;
use listing::Listing;
use masters::Masters;
use names::Names;
use nodes::Life;
pub use nodes::{Lease, Left, NodeId, NodeRecord, Nodes};
use presence::Presence;
use stats::Counters;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use streams::Streams;
use subscriptions::Subscriptions;
pub use sweep::Sweep;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How the broker works with Redis.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// Where Redis is.
    pub address: Address,
    /// Ahead of all keys, so that several systems can share a server.
    pub prefix: String,
    /// This node's name, unique in the cluster.
    pub node: Arc<str>,
    /// Connections for publishes, and as many for reads.
    pub lanes: usize,
    /// Commands that wait for each of them.
    pub queue: usize,
    /// Commands that are sent together at most.
    pub batch: usize,
    /// For a command, from when it came to its answer.
    pub deadline: Duration,
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// For an answer of the server; without one the connection counts as broken.
    pub response_timeout: Duration,
    /// For how long a node claims what it relies on.
    pub lease: Duration,
    /// How long a channel stays subscribed that nobody needs any more.
    pub linger: Duration,
    /// Between canaries.
    pub canary: Duration,
    /// For a round of the audit through all channels.
    pub audit: Duration,
    /// How long idempotency keys are remembered.
    pub idempotency_ttl: Duration,
    /// How long epoch and offset of an idle channel are remembered, unless its history's `ttl` is longer.
    pub meta_ttl: Duration,
    /// Stored subscriptions of one user.
    pub subscriptions_per_user: usize,
}

/// The broker of a cluster; its methods mean what [`super::Broker`]'s do.
pub struct RedisBroker {
    streams: Arc<Streams>,
    directory: Directory,
    listing: Arc<Listing>,
    presence: Arc<Presence>,
    nodes: Nodes,
    subscriptions: Arc<Subscriptions>,
    health: Arc<Health>,
    counters: Arc<Counters>,
    background: Mutex<Option<Background>>,
}

/// What runs in tasks of its own.
struct Background {
    masters: Arc<Masters>,
    drivers: Vec<Driver>,
    listener: Listener,
    names: Arc<Names>,
    audit: Arc<Audit>,
}

impl RedisBroker {
    /// A broker that delivers to these mailboxes: the worker with index 0 has the first. It connects once [`Self::run`] runs. An error tells what
    /// is wrong with the address.
    pub fn new(workers: Vec<Arc<Mailbox>>, config: RedisConfig) -> Result<Self, String> {
        let timeouts = Timeouts { connect: config.connect_timeout, response: config.response_timeout };
        let lanes = 2 * config.lanes;
        let probe = Probe::new(Keys::new(&config.prefix), config.node.clone());
        let claims = Claims::new(&Keys::new(&config.prefix), config.lease);
        let masters = Arc::new(Masters::new(config.address, lanes, timeouts, probe, &claims).map_err(|error| error.to_string())?);
        let (health, counters) = (Arc::new(Health::default()), Arc::new(Counters::default()));
        masters.expect(&health);
        let (keys, life) = (Keys::new(&config.prefix), Arc::new(Life::new(&config.node)));
        let subscriptions = Arc::new(Subscriptions::new(workers, keys.clone(), masters.now(), config.linger, counters.clone()));
        let limits = LaneLimits { queue: config.queue, batch: config.batch, deadline: config.deadline };
        let (near, drivers): (Vec<_>, _) = (0..lanes)
            .map(|index| {
                let (lane, driver) = lane::lane(limits, masters.clone(), health.clone(), index);
                (Arc::new(lane), driver)
            })
            .unzip();
        let (writers, readers) = near.split_at(config.lanes);
        let (canary_lane, directory_lane) = (writers[0].clone(), readers[0].clone());
        let names = Arc::new(Names::new(keys.clone(), directory_lane.clone(), counters.clone()));
        let listing =
            Arc::new(Listing { keys: keys.clone(), lane: directory_lane.clone(), masters: masters.clone(), names: names.clone() });
        let streams = Arc::new(Streams {
            keys: keys.clone(),
            pubsub: masters.pubsub(),
            writers: writers.to_vec(),
            readers: readers.to_vec(),
            subscriptions: subscriptions.clone(),
            names: names.clone(),
            counters: counters.clone(),
            hasher: foldhash::fast::RandomState::default(),
            idempotency_ttl: config.idempotency_ttl,
            answer_ttl: 2 * config.deadline,
            meta_ttl: config.meta_ttl,
        });
        let audit = Arc::new(Audit {
            streams: streams.clone(),
            subscriptions: subscriptions.clone(),
            masters: masters.clone(),
            round: config.audit,
            patience: listener::PROVEN * config.canary,
        });
        let listener = Listener {
            masters: masters.clone(),
            subscriptions: subscriptions.clone(),
            audit: audit.clone(),
            names: names.clone(),
            keys: keys.clone(),
            health: health.clone(),
            counters: counters.clone(),
            node: config.node,
            lane: canary_lane,
            canary: config.canary,
            patience: config.response_timeout,
        };
        let presence = Arc::new(Presence::new(keys.clone(), directory_lane.clone(), life.clone()));
        Ok(Self {
            nodes: Nodes {
                keys: keys.clone(),
                lane: directory_lane.clone(),
                life,
                presence: presence.clone(),
                masters: masters.clone(),
                listing: listing.clone(),
            },
            presence,
            directory: Directory { keys, lane: directory_lane, subscriptions_per_user: config.subscriptions_per_user },
            listing,
            streams,
            subscriptions,
            health,
            counters,
            background: Mutex::new(Some(Background { masters, drivers, listener, names, audit })),
        })
    }

    /// See [`super::Broker::hand_over`].
    pub async fn hand_over<'a>(
        &'a self,
        channel: &ChannelName,
        publication: NewPublication,
    ) -> Result<impl Future<Output = Result<Published, BrokerError>> + use<'a>, BrokerError> {
        self.streams.hand_over(channel, publication).await
    }

    /// See [`super::Broker::announce`].
    pub async fn announce(&self, channel: &ChannelName, announcement: Announcement) -> Result<(), BrokerError> {
        self.streams.announce(channel, &announcement).await
    }

    /// See [`super::Broker::subscribe`].
    pub async fn subscribe(&self, channel: &ChannelName, worker: WorkerId, retention: Option<Retention>) -> Result<(), BrokerError> {
        self.subscriptions.subscribe(channel, worker, retention.is_some()).await
    }

    /// See [`super::Broker::unsubscribe`].
    pub fn unsubscribe(&self, channel: &ChannelName, worker: WorkerId) {
        self.subscriptions.unsubscribe(channel, worker);
    }

    /// See [`super::Broker::doubt`].
    pub fn doubt(&self, channel: &ChannelName) {
        self.subscriptions.doubt(channel);
    }

    /// See [`super::Broker::read`].
    pub async fn read(&self, channel: &ChannelName, retention: Retention, span: Span, limit: PageLimit) -> Result<Page, BrokerError> {
        self.streams.read(channel, retention.ttl, span, limit).await
    }

    /// See [`super::Broker::clear`].
    pub async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        self.streams.clear(channel).await
    }

    /// See [`super::Broker::presence_add`].
    pub async fn presence_add(&self, channel: &ChannelName, info: Arc<ClientInfo>) -> Result<(), BrokerError> {
        self.presence.arrive(channel, &info).await
    }

    /// See [`super::Broker::presence_remove`].
    pub async fn presence_remove(&self, channel: &ChannelName, connection: ConnectionId) -> Result<(), BrokerError> {
        self.presence.depart(channel, connection).await
    }

    /// See [`super::Broker::presence`].
    pub async fn presence(&self, channel: &ChannelName, limit: usize) -> Result<Vec<Arc<ClientInfo>>, BrokerError> {
        self.presence.present(channel, limit).await
    }

    /// See [`super::Broker::presence_stats`].
    pub async fn presence_stats(&self, channel: &ChannelName) -> Result<PresenceStats, BrokerError> {
        self.presence.stats(channel).await
    }

    /// See [`super::Broker::channels`].
    pub async fn channels(&self, pattern: &str, after: Option<&str>, limit: usize) -> Result<Vec<ChannelSummary>, BrokerError> {
        self.listing.channels(pattern, after, limit).await
    }

    /// See [`super::Broker::put_user_subscription`].
    pub async fn put_user_subscription(&self, user: &UserId, subscription: UserSubscription) -> Result<(), BrokerError> {
        self.directory.remember(user, subscription).await
    }

    /// See [`super::Broker::delete_user_subscription`].
    pub async fn delete_user_subscription(&self, user: &UserId, channel: &ChannelName) -> Result<bool, BrokerError> {
        self.directory.forget(user, channel).await
    }

    /// See [`super::Broker::user_subscriptions`].
    pub async fn user_subscriptions(&self, user: &UserId) -> Result<Vec<UserSubscription>, BrokerError> {
        self.directory.remembered(user).await
    }

    /// See [`super::Broker::revoke`].
    pub async fn revoke(&self, user: &UserId, revocation: Revocation, remember: Duration) -> Result<(), BrokerError> {
        self.directory.revoke(user, &revocation, remember).await
    }

    /// See [`super::Broker::revoked`].
    pub async fn revoked(&self, user: &UserId) -> Result<Option<Revocation>, BrokerError> {
        self.directory.revoked(user).await
    }

    /// The nodes that share the store.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Ready once every connection works and a canary came back; in part, as long as that is so for one master.
    pub fn readiness(&self) -> Readiness {
        self.health.readiness()
    }

    /// See [`super::Broker::stats`].
    pub fn stats(&self) -> BrokerStats {
        let (serving, away) = self.health.count();
        let redis = RedisStats { serving, away, ..self.counters.stats() };
        BrokerStats { channels: self.subscriptions.len(), redis: Some(redis), ..BrokerStats::default() }
    }

    /// Keeps the connections, until cancelled. To be called once, from the runtime that outlives all callers.
    pub async fn run(&self, stop: CancellationToken) {
        let Some(Background { masters, drivers, listener, names, audit }) = lock(&self.background).take() else { return };
        let mut tasks = JoinSet::new();
        for driver in drivers {
            tasks.spawn(driver.run(stop.clone()));
        }
        tasks.spawn(Arc::new(listener).run(stop.clone()));
        tasks.spawn({
            let (health, stop) = (self.health.clone(), stop.clone());
            async move { masters.run(&health, stop).await }
        });
        tasks.spawn({
            let stop = stop.clone();
            async move {
                let _ = stop.run_until_cancelled(names.run()).await;
            }
        });
        tasks.spawn(async move { audit.run(stop).await });
        while tasks.join_next().await.is_some() {}
    }
}
