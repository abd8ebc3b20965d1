//! The cluster, as the rest of the node uses it.

use super::{
    holds::holds::{Holds, OccupationEvent},
    local_workers::LocalWorkers,
    member::Member,
    message::{self, Request, Response},
    requests::unknown_node,
    shared_cluster::SharedCluster,
    types::{ClusterTimings, DeadNodeEntries, DrainOrder, NodeDescription, NodeServices, NodeSummary, ReceivedDrainOrder},
    watched_users::WatchedUsers,
};
use crate::broker::{Broker, Mailbox, Nodes, PostOutcome, PostedCommands, mailbox::ConnectionSummary};
use gateway_core::{
    channel::Namespaces,
    model::{ChannelName, CommandTarget, Refusal, ServerCommand, SessionKey, UserId, WorkerId, lock},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The nodes that share one store.
pub struct Cluster {
    kind: Kind,
    address: Arc<str>,
    watched_users: Arc<WatchedUsers>,
}

enum Kind {
    Single(Member, LocalWorkers, Arc<Holds>),
    Shared(Arc<SharedCluster>),
}

impl Cluster {
    /// A cluster of this node alone.
    pub fn single(description: NodeDescription, workers: Vec<Arc<Mailbox>>, holds: Arc<Holds>, watched_users: WatchedUsers) -> Self {
        let this_node = member(&description, workers.len());
        let address = format!("{}:{:016x}", description.name, rand::random::<u64>()).into();
        let kind = Kind::Single(this_node, LocalWorkers::new(description.name, workers), holds);
        Self { kind, address, watched_users: Arc::new(watched_users) }
    }

    /// A cluster of all nodes that share the broker. `inbox` is a mailbox of the broker that belongs to no worker, with its index.
    pub fn shared(
        description: NodeDescription,
        workers: Vec<Arc<Mailbox>>,
        broker: Arc<Broker>,
        inbox: (Arc<Mailbox>, WorkerId),
        namespaces: Namespaces,
        timings: ClusterTimings,
        watched_users: WatchedUsers,
    ) -> Self {
        let this_node = member(&description, workers.len());
        let address = broker.nodes().map(Nodes::address).unwrap_or_default().into();
        let (local, watched_users) = (LocalWorkers::new(description.name, workers), Arc::new(watched_users));
        let shared = SharedCluster::new(broker, local, inbox, namespaces, this_node, timings, watched_users.clone());
        Self { kind: Kind::Shared(Arc::new(shared)), address, watched_users }
    }

    fn local(&self) -> &LocalWorkers {
        match &self.kind {
            Kind::Single(_, local, _) => local,
            Kind::Shared(shared) => &shared.local,
        }
    }

    /// The address of this process: the node's name, and an id that no other process has.
    pub fn address(&self) -> Arc<str> {
        self.address.clone()
    }

    /// Hands commands to the session with this key, on the node with this address.
    pub async fn post_commands(&self, address: &str, key: SessionKey, commands: PostedCommands) -> Result<PostOutcome, Refusal> {
        match &self.kind {
            _ if *self.address == *address => self.local().post_commands(key, commands).await,
            Kind::Single(..) => Err(unknown_node()),
            Kind::Shared(shared) => shared.post_commands(address, key, commands).await,
        }
    }

    /// Requests with commands of streams that came from other nodes and were not carried out, because too many were in progress.
    pub fn posts_dropped(&self) -> u64 {
        match &self.kind {
            Kind::Single(..) => 0,
            Kind::Shared(shared) => shared.posts_dropped.load(Relaxed),
        }
    }

    /// The nodes that are registered and alive now, by name.
    pub async fn nodes(&self) -> Result<Vec<NodeSummary>, Refusal> {
        let members = match &self.kind {
            Kind::Single(this_node, ..) => vec![this_node.clone()],
            Kind::Shared(shared) => shared.members().await?,
        };
        let summary = |node: &Member| NodeSummary {
            name: (*node.name).into(),
            since_ms: node.since_ms,
            workers: node.workers,
            public: node.public.clone(),
        };
        Ok(members.iter().map(summary).collect())
    }

    /// Addresses of the live nodes for services, as `ws://host:port`. The receiver sees every change.
    pub fn links(&self) -> watch::Receiver<Arc<[String]>> {
        match &self.kind {
            Kind::Single(this_node, ..) => watch::channel([this_node.link.to_string()].into()).1,
            Kind::Shared(shared) => shared.links(),
        }
    }

    /// The live nodes and the services whose queues they can deliver, as [`Self::set_delivers`] of each says. The receiver sees every change.
    pub fn delivering_nodes(&self) -> watch::Receiver<Arc<[NodeServices]>> {
        match &self.kind {
            Kind::Single(this_node, ..) => watch::channel([this_node.services()].into()).1,
            Kind::Shared(shared) => shared.delivering.subscribe(),
        }
    }

    /// Sets the services whose queues this node can deliver. Other nodes learn of them within a third of a lease.
    pub fn set_delivers(&self, services: BTreeSet<Box<str>>) {
        match &self.kind {
            // There is no other node.
            Kind::Single(..) => {}
            Kind::Shared(shared) => *lock(&shared.delivers) = services,
        }
    }

    /// Why this node is not a member of the cluster. `None` if it is.
    pub fn problem(&self) -> Option<Box<str>> {
        match &self.kind {
            Kind::Single(..) => None,
            Kind::Shared(shared) => shared.problem(),
        }
    }

    /// Carries out a command on every connection of the target, on all nodes. Returns their number.
    pub async fn command(&self, target: CommandTarget, command: ServerCommand) -> Result<usize, Refusal> {
        let request = Request::Command((&target).into(), (&command).into());
        let local = self.local().command(target, command).await?;
        Ok(local + self.sum_of_others(&request).await?)
    }

    /// The number of all workers, if each node counts as the one with the most. Nodes that know the same members get the same number.
    pub fn worker_threads(&self) -> usize {
        match &self.kind {
            Kind::Single(_, local, _) => local.len(),
            Kind::Shared(shared) => shared.worker_threads.load(Relaxed),
        }
    }

    /// The connections of the target, on all nodes.
    pub async fn connections(&self, target: CommandTarget) -> Result<Vec<ConnectionSummary>, Refusal> {
        let request = Request::Connections((&target).into());
        self.connections_by(&request, target).await
    }

    /// The connections of a user on all nodes, each of which watches it from now on.
    pub async fn watch_user(&self, user: &UserId) -> Result<Vec<ConnectionSummary>, Refusal> {
        self.watched_users.watch(user);
        self.connections_by(&Request::WatchUser(user.to_string()), CommandTarget::User(user.clone())).await
    }

    /// The users that some node watches, as far as this one knows.
    pub fn watched_users(&self) -> &WatchedUsers {
        &self.watched_users
    }

    async fn connections_by(&self, request: &Request, target: CommandTarget) -> Result<Vec<ConnectionSummary>, Refusal> {
        let mut found = self.local().connections(target).await?;
        for response in self.request_others(request).await? {
            if let Response::Connections(connections) = response {
                found.extend(connections.into_iter().filter_map(message::Connection::into_model));
            }
        }
        Ok(found)
    }

    /// Number of a channel's subscribers, on all nodes.
    pub async fn subscribers(&self, channel: &ChannelName) -> Result<usize, Refusal> {
        let local = self.local().subscribers(channel).await?;
        Ok(local + self.sum_of_others(&Request::Subscribers(channel.to_string())).await?)
    }

    /// Passes an order on to all other nodes. Returns on how many of them it counts.
    pub async fn drain_elsewhere(&self, order: &DrainOrder) -> Result<usize, Refusal> {
        self.sum_of_others(&Request::Drain(order.clone())).await
    }

    async fn sum_of_others(&self, request: &Request) -> Result<usize, Refusal> {
        let responses = self.request_others(request).await?;
        Ok(responses.into_iter().map(|response| if let Response::Number(number) = response { number } else { 0 }).sum())
    }

    async fn request_others(&self, request: &Request) -> Result<Vec<Response>, Refusal> {
        match &self.kind {
            Kind::Single(..) => Ok(Vec::new()),
            Kind::Shared(shared) => shared.request_all(request).await,
        }
    }

    /// From now on the workers keep every connection in the registry, so that other nodes can report its end if this node dies.
    pub fn register_connections(&self) {
        match &self.kind {
            // There is no other node.
            Kind::Single(..) => {}
            Kind::Shared(shared) => shared.register_connections.notify_one(),
        }
    }

    /// From now on the workers also keep the subscriptions to channels with `lifecycle` in the registry.
    pub fn register_subscriptions(&self) {
        match &self.kind {
            Kind::Single(..) => {}
            Kind::Shared(shared) => shared.register_subscriptions.notify_one(),
        }
    }

    /// From now on the node announces which channels become occupied and vacant, see [`Self::occupation_events`].
    pub fn announce_occupations(&self) {
        self.holds().activate();
    }

    /// Begins and ends of occupations. None for a second caller.
    pub fn occupation_events(&self) -> Option<mpsc::Receiver<OccupationEvent>> {
        self.holds().events()
    }

    /// The channels with subscribers on this node, as its workers count them.
    pub fn holds(&self) -> &Arc<Holds> {
        match &self.kind {
            Kind::Single(_, _, holds) => holds,
            Kind::Shared(shared) => &shared.holds,
        }
    }

    /// What ended with dead nodes, for the events about it. None for a single node and for a second caller.
    pub fn dead_node_entries(&self) -> Option<mpsc::Receiver<DeadNodeEntries>> {
        match &self.kind {
            Kind::Single(..) => None,
            Kind::Shared(shared) => lock(&shared.dead_entries_receiver).take(),
        }
    }

    /// Orders of other nodes to drain parts of services. None for a single node and for a second caller.
    pub fn drain_orders(&self) -> Option<mpsc::Receiver<ReceivedDrainOrder>> {
        match &self.kind {
            Kind::Single(..) => None,
            Kind::Shared(shared) => lock(&shared.drain_orders_receiver).take(),
        }
    }

    /// Runs the background work until cancelled, then leaves the cluster.
    pub async fn run(&self, stop: CancellationToken) {
        match &self.kind {
            Kind::Single(_, _, holds) => drop(stop.run_until_cancelled(holds.run()).await),
            Kind::Shared(shared) => {
                let requests = tokio::spawn(shared.clone().serve_requests());
                let work = futures_util::future::join5(
                    shared.keep_registered(),
                    shared.notify_workers(),
                    shared.clean_up_dead_nodes(),
                    shared.sweep_presence(),
                    shared.holds.run(),
                );
                let _ = stop.run_until_cancelled(work).await;
                shared.leave().await;
                requests.abort();
            }
        }
    }
}

fn member(description: &NodeDescription, workers: usize) -> Member {
    let since_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let NodeDescription { name, link, public, shared } = description.clone();
    Member { name: (*name).into(), since_ms, workers, link, public, shared, delivers: BTreeSet::new() }
}
