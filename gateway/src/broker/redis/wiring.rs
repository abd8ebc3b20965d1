//! Constructs the broker from its parts.

use super::{
    channels::{audit::Audit, channel_index::ChannelIndex, listing::Listing, streams::Streams},
    cluster_state::{
        call_store::CallStore, local_node::LocalNode, nodes::Nodes, occupancy::Occupancy, presence::Presence, user_store::UserStore,
    },
    commands::{
        lane::lane,
        limits::{LaneLimits, Replicas},
    },
    config::RedisConfig,
    listener::{
        context::{CANARY_PERIODS, ListenerContext},
        listener::Listener,
    },
    queues::{arrivals::Arrivals, redis_queues::RedisQueues},
    redis_broker::{Background, RedisBroker},
    schema::{counters::Counters, keys::Keys},
    servers::{
        connect::{rights::probe::Probe, server_assignment::ServerAssignments, timing::Timeouts},
        health::Health,
        masters::Masters,
    },
    subscriptions::subscriptions::Subscriptions,
};
use crate::broker::Mailbox;
use std::sync::{Arc, Mutex};

/// The lanes of queues that wait for replicas: their place among the groups of lanes. The other lanes of queues follow.
const CONFIRMED_LANES: usize = 2;

impl RedisBroker {
    /// A broker that delivers to these mailboxes. The first mailbox is that of the worker with index 0. The broker connects when
    /// [`Self::run`] runs. The text of an error says what is wrong with the address.
    pub fn new(workers: Vec<Arc<Mailbox>>, config: RedisConfig) -> Result<Self, String> {
        let keys = Keys::new(&config.prefix);
        let timeouts = Timeouts { connect: config.connect_timeout, response: config.response_timeout };
        // Publishes and reads, and with queues new entries and what owners do.
        let lanes = if config.queues.is_some() { 4 * config.lanes } else { 2 * config.lanes };
        let local_node = Arc::new(LocalNode::new(&config.node));
        let address = local_node.id().address();
        let replicas = config.queues.filter(|queues| queues.replicas > 0);
        let replicas = replicas.map(|queues| Replicas { count: queues.replicas, timeout: queues.replica_timeout });
        let probe = Probe::new(keys.probe(&address)).waiting_if(replicas.is_some());
        let assignments = ServerAssignments::new(keys.assignment(), config.lease);
        let masters = Arc::new(Masters::new(config.address, lanes, timeouts, probe, &assignments).map_err(|error| error.to_string())?);
        let (health, counters) = (Arc::new(Health::default()), Arc::new(Counters::default()));
        masters.require_parts(&health);
        let subscriptions =
            Arc::new(Subscriptions::new(workers, keys.clone(), masters.topology(), config.unsubscribe_delay, counters.clone()));
        let limits = LaneLimits {
            queue_commands: config.queue_commands,
            batch_commands: config.batch_commands,
            deadline: config.deadline,
            replicas: None,
        };
        let (lanes, drivers): (Vec<_>, _) = (0..lanes)
            .map(|index| {
                let replicas = replicas.filter(|_| index / config.lanes == CONFIRMED_LANES);
                let (lane, driver) = lane(LaneLimits { replicas, ..limits }, masters.clone(), health.clone(), counters.clone(), index);
                (Arc::new(lane), driver)
            })
            .unzip();
        let lanes: Vec<_> = lanes.chunks(config.lanes).map(<[_]>::to_vec).collect();
        let (writers, readers) = (&lanes[0], &lanes[1]);
        let (canary_lane, state_lane) = (writers[0].clone(), readers[0].clone());
        let channel_index = Arc::new(ChannelIndex::new(keys.clone(), state_lane.clone(), counters.clone()));
        let listing = Arc::new(Listing {
            keys: keys.clone(),
            lane: state_lane.clone(),
            masters: masters.clone(),
            channel_index: channel_index.clone(),
        });
        let streams = Arc::new(Streams {
            keys: keys.clone(),
            pubsub: masters.pubsub(),
            writers: writers.clone(),
            readers: readers.clone(),
            subscriptions: subscriptions.clone(),
            channel_index: channel_index.clone(),
            counters: counters.clone(),
            hasher: foldhash::fast::RandomState::default(),
            idempotency_ttl: config.idempotency_ttl,
            answer_ttl: 2 * config.deadline,
            position_ttl: config.position_ttl,
        });
        let audit = Arc::new(Audit {
            streams: streams.clone(),
            subscriptions: subscriptions.clone(),
            masters: masters.clone(),
            round: config.audit_duration,
            delivery_limit: CANARY_PERIODS * config.canary_interval,
        });
        let listener = Listener(Arc::new(ListenerContext {
            masters: masters.clone(),
            subscriptions: subscriptions.clone(),
            audit: audit.clone(),
            channel_index: channel_index.clone(),
            keys: keys.clone(),
            health: health.clone(),
            counters: counters.clone(),
            node: address.into(),
            lane: canary_lane,
            canary_interval: config.canary_interval,
            response_timeout: config.response_timeout,
        }));
        let queues = config.queues.map(|limits| {
            let lanes = &lanes[CONFIRMED_LANES..];
            let arrivals = Arrivals::new(masters.clone(), config.response_timeout);
            Arc::new(RedisQueues::new(keys.clone(), [lanes[0].clone(), lanes[1].clone()], arrivals, limits, 2 * config.deadline))
        });
        let presence = Arc::new(Presence::new(keys.clone(), state_lane.clone(), local_node.clone()));
        Ok(Self {
            nodes: Nodes {
                keys: keys.clone(),
                lane: state_lane.clone(),
                occupancy: Occupancy { keys: keys.clone(), lane: state_lane.clone(), local_node: local_node.clone() },
                local_node,
                presence: presence.clone(),
                masters: masters.clone(),
                listing: listing.clone(),
                counters: counters.clone(),
            },
            queues,
            presence,
            call_store: CallStore { keys: keys.clone(), lane: state_lane.clone(), ttl: config.idempotency_ttl },
            user_store: UserStore { keys, lane: state_lane, subscriptions_per_user: config.subscriptions_per_user },
            listing,
            streams,
            subscriptions,
            health,
            counters,
            background: Mutex::new(Some(Background { masters, drivers, listener, channel_index, audit })),
        })
    }
}
