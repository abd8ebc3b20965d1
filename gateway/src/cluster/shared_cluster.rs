//! The state of a node in a cluster of several nodes.

use super::{
    holds::holds::Holds,
    local_workers::LocalWorkers,
    member::Member,
    message::Response,
    types::{ClusterTimings, DeadNodeEntries, NodeServices, ReceivedDrainOrder},
    watched_users::WatchedUsers,
};
use crate::broker::{Broker, Mailbox, MailboxEntry, NodeId};
use gateway_core::{
    channel::Namespaces,
    model::{WorkerId, lock},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize},
    },
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::Instant,
};

/// The list of the other nodes.
#[derive(Clone)]
pub(super) struct ListedNodes {
    pub(super) read_at: Instant,
    /// Their addresses, and whether they were alive.
    pub(super) others: Arc<HashMap<Box<str>, bool>>,
}

/// See the module.
pub(super) struct SharedCluster {
    pub(super) broker: Arc<Broker>,
    pub(super) local: LocalWorkers,
    /// The mailbox for messages of other nodes, registered with the broker like that of a worker.
    pub(super) inbox: (Arc<Mailbox>, WorkerId),
    pub(super) timings: ClusterTimings,
    pub(super) namespaces: Namespaces,
    pub(super) this_node: Member,
    /// Nodes to clean up after.
    pub(super) dead: watch::Sender<Vec<NodeId>>,
    /// The link addresses of all live nodes. The receiver sees every change of the list.
    pub(super) links: watch::Sender<Arc<[String]>>,
    /// See [`Cluster::worker_threads`](super::Cluster::worker_threads).
    pub(super) worker_threads: AtomicUsize,
    /// The live nodes, and the services whose queues they can deliver.
    pub(super) delivering: watch::Sender<Arc<[NodeServices]>>,
    /// The services whose queues this node can deliver. Other nodes learn of them with the next heartbeat.
    pub(super) delivers: Mutex<BTreeSet<Box<str>>>,
    /// Requests to other nodes that wait for responses, by id.
    pub(super) pending: Mutex<HashMap<u64, mpsc::Sender<(String, Response)>>>,
    pub(super) next_request: AtomicU64,
    /// Requests with commands of streams that came from other nodes and were not carried out, because too many were in progress.
    pub(super) posts_dropped: AtomicU64,
    /// The list of nodes, as it was read the last time.
    pub(super) listed: Mutex<Option<ListedNodes>>,
    /// Why this node is not a member of the cluster.
    pub(super) problem: Mutex<Option<Box<str>>>,
    /// This node registered again after its lease expired.
    pub(super) registered_again: Notify,
    /// Earlier generations of this node whose registries may still have entries.
    pub(super) past_generations: Mutex<Vec<NodeId>>,
    /// Messages of other nodes to this one may have been lost.
    pub(super) messages_missed: Notify,
    /// A service wants disconnects, so every connection must be in the registry.
    pub(super) register_connections: Notify,
    /// A service wants the ends of subscriptions, so those to channels with `lifecycle` must be in the registry.
    pub(super) register_subscriptions: Notify,
    pub(super) holds: Arc<Holds>,
    pub(super) watched_users: Arc<WatchedUsers>,
    pub(super) dead_entries: mpsc::Sender<DeadNodeEntries>,
    /// The other end of `dead_entries`, until it is taken.
    pub(super) dead_entries_receiver: Mutex<Option<mpsc::Receiver<DeadNodeEntries>>>,
    pub(super) drain_orders: mpsc::Sender<ReceivedDrainOrder>,
    /// The other end of `drain_orders`, until it is taken.
    pub(super) drain_orders_receiver: Mutex<Option<mpsc::Receiver<ReceivedDrainOrder>>>,
}

impl SharedCluster {
    pub(super) fn new(
        broker: Arc<Broker>,
        local: LocalWorkers,
        inbox: (Arc<Mailbox>, WorkerId),
        namespaces: Namespaces,
        this_node: Member,
        timings: ClusterTimings,
        watched_users: Arc<WatchedUsers>,
    ) -> Self {
        let (dead_entries, receiver) = mpsc::channel(1);
        let holds = Holds::new(broker.clone(), timings.linger);
        let (drain_orders, drain_orders_receiver) = mpsc::channel(1);
        Self {
            broker,
            local,
            inbox,
            timings,
            links: watch::Sender::new([this_node.link.to_string()].into()),
            worker_threads: AtomicUsize::new(this_node.workers),
            delivering: watch::Sender::new([this_node.services()].into()),
            delivers: Mutex::default(),
            dead: watch::Sender::default(),
            namespaces,
            this_node,
            pending: Mutex::default(),
            next_request: AtomicU64::new(1),
            posts_dropped: AtomicU64::new(0),
            listed: Mutex::default(),
            problem: Mutex::new(Some("not registered with the cluster yet".into())),
            registered_again: Notify::new(),
            past_generations: Mutex::default(),
            messages_missed: Notify::new(),
            register_connections: Notify::new(),
            register_subscriptions: Notify::new(),
            holds,
            watched_users,
            dead_entries,
            dead_entries_receiver: Mutex::new(Some(receiver)),
            drain_orders,
            drain_orders_receiver: Mutex::new(Some(drain_orders_receiver)),
        }
    }

    /// Link addresses of the live nodes, as they change.
    pub(super) fn links(&self) -> watch::Receiver<Arc<[String]>> {
        self.links.subscribe()
    }

    /// Why this node is not a member of the cluster.
    pub(super) fn problem(&self) -> Option<Box<str>> {
        lock(&self.problem).clone()
    }

    /// Passes changes of this node's state on to its workers. Never returns.
    pub(super) async fn notify_workers(&self) {
        let registered_again = self.local.post_on_notify(&self.registered_again, || MailboxEntry::RegisterAgain);
        let messages_missed = self.local.post_on_notify(&self.messages_missed, || MailboxEntry::CheckRevocations);
        let register_connections = self.local.post_on_notify(&self.register_connections, || MailboxEntry::RegisterConnections);
        let register_subscriptions = self.local.post_on_notify(&self.register_subscriptions, || MailboxEntry::RegisterSubscriptions);
        futures_util::future::join4(registered_again, messages_missed, register_connections, register_subscriptions).await;
    }
}
