//! How the parts of the broker are put together.

use super::{
    channels::{audit::Audit, channel_index::ChannelIndex, listing::Listing, streams::Streams},
    cluster_state::{local_node::LocalNode, nodes::Nodes, presence::Presence, user_store::UserStore},
    commands::{lane::lane, limits::LaneLimits},
    config::RedisConfig,
    listener::{
        context::{ListenerContext, PROVEN},
        listener::Listener,
    },
    redis_broker::{Background, RedisBroker},
    schema::{counters::Counters, keys::Keys},
    servers::{
        connect::{probe::Probe, server_assignment::ServerAssignments, timing::Timeouts},
        health::Health,
        masters::Masters,
    },
    subscriptions::subscriptions::Subscriptions,
};
use crate::broker::Mailbox;
use std::sync::{Arc, Mutex};

impl RedisBroker {
    /// A broker that delivers to these mailboxes: the worker with index 0 has the first. It connects once [`Self::run`] runs. An error tells what
    /// is wrong with the address.
    pub fn new(workers: Vec<Arc<Mailbox>>, config: RedisConfig) -> Result<Self, String> {
        let keys = Keys::new(&config.prefix);
        let timeouts = Timeouts { connect: config.connect_timeout, response: config.response_timeout };
        let lanes = 2 * config.lanes;
        let life = Arc::new(LocalNode::new(&config.node));
        let address = life.id().address();
        let probe = Probe::new(keys.probe(&address));
        let claims = ServerAssignments::new(keys.share(), config.lease);
        let masters = Arc::new(Masters::new(config.address, lanes, timeouts, probe, &claims).map_err(|error| error.to_string())?);
        let (health, counters) = (Arc::new(Health::default()), Arc::new(Counters::default()));
        masters.expect(&health);
        let subscriptions = Arc::new(Subscriptions::new(workers, keys.clone(), masters.now(), config.linger, counters.clone()));
        let limits = LaneLimits { queue: config.queue, batch: config.batch, deadline: config.deadline };
        let (near, drivers): (Vec<_>, _) = (0..lanes)
            .map(|index| {
                let (lane, driver) = lane(limits, masters.clone(), health.clone(), index);
                (Arc::new(lane), driver)
            })
            .unzip();
        let (writers, readers) = near.split_at(config.lanes);
        let (canary_lane, directory_lane) = (writers[0].clone(), readers[0].clone());
        let names = Arc::new(ChannelIndex::new(keys.clone(), directory_lane.clone(), counters.clone()));
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
            patience: PROVEN * config.canary,
        });
        let listener = Listener(Arc::new(ListenerContext {
            masters: masters.clone(),
            subscriptions: subscriptions.clone(),
            audit: audit.clone(),
            names: names.clone(),
            keys: keys.clone(),
            health: health.clone(),
            counters: counters.clone(),
            node: address.into(),
            lane: canary_lane,
            canary: config.canary,
            patience: config.response_timeout,
        }));
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
            directory: UserStore { keys, lane: directory_lane, subscriptions_per_user: config.subscriptions_per_user },
            listing,
            streams,
            subscriptions,
            health,
            counters,
            background: Mutex::new(Some(Background { masters, drivers, listener, names, audit })),
        })
    }
}
