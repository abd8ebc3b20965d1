//! Requests to other nodes, and responses to theirs. A request is a message in the channel of the node that it is for.

use super::{
    inbox::{Inbox, Incoming},
    message::{Connection, Message, Post, Request, Response},
    shared_cluster::{ListedNodes, SharedCluster},
};
use crate::{
    broker::{BrokerError, NewPublication, Nodes, PostOutcome, PostedCommands},
    telemetry::FailureLog,
};
use futures_util::{
    FutureExt as _, TryFutureExt as _,
    future::{BoxFuture, ready},
};
use gateway_core::model::{ChannelName, CommandTarget, ErrorCode, Refusal, Retention, SessionKey, Tags, lock};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::{Instant, sleep, timeout_at},
};

/// Time for all nodes to respond.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(4);
/// Requests of other nodes that are handled at a time.
const CONCURRENT_REQUESTS: usize = 64;
/// Posts from other nodes that are carried out at a time. Further ones are not taken.
const CONCURRENT_POSTS: usize = 1024;
/// How long the list of nodes counts for posts, so that each of them does not read it.
const LISTED_FOR: Duration = Duration::from_secs(1);
/// How long an address that is not in the list counts as unknown.
const UNKNOWN_FOR: Duration = Duration::from_millis(100);
/// Pause before opening the inbox is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// What came back for a request.
struct Responses {
    all: Vec<Response>,
    /// Addresses of the nodes that did not answer in time.
    missing: Vec<Box<str>>,
}

impl SharedCluster {
    // NL-7.8
    /// Sends a request to every other live node, and waits for all responses.
    pub(super) async fn request_all(&self, request: &Request) -> Result<Vec<Response>, Refusal> {
        let others = self.others().await?;
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let Responses { all, missing } = self.request(others, request).await?;
        let failed = all.iter().find_map(|response| if let Response::Failed(why) = response { Some(why.clone()) } else { None });
        match failed {
            _ if !missing.is_empty() => {
                let names: Vec<_> = missing.iter().map(|address| address.split(':').next().unwrap_or_default()).collect();
                let names = names.join(", ");
                let detail =
                    format!("These nodes did not answer in time: {names}. The others may have carried the request out. Try again.");
                Err(Refusal::new(ErrorCode::ServiceUnavailable, detail))
            }
            Some(why) => Err(Refusal::new(ErrorCode::ServiceUnavailable, why)),
            None => Ok(all),
        }
    }

    /// Hands commands to a session on another node.
    pub(super) async fn post_commands(&self, address: &str, key: SessionKey, commands: PostedCommands) -> Result<PostOutcome, Refusal> {
        self.check_live(address).await?;
        let responses = self.request(vec![address.into()], &Request::Post(Post::new(key, commands))).await;
        let Responses { all, .. } = responses.map_err(|refusal| match refusal.code {
            ErrorCode::OutcomeUnknown => post_unanswered(),
            _ => refusal,
        })?;
        match all.first() {
            Some(Response::Posted(outcome)) => Ok(*outcome),
            Some(Response::Failed(why)) => Err(Refusal::new(ErrorCode::ServiceUnavailable, why.clone())),
            Some(_) => Err(not_understood()),
            None => Err(post_unanswered()),
        }
    }

    /// Sends a request to these nodes, and waits for their responses.
    async fn request(&self, nodes: Vec<Box<str>>, request: &Request) -> Result<Responses, Refusal> {
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        let id = self.next_request.fetch_add(1, Relaxed);
        let (sender, mut receiver) = mpsc::channel(nodes.len());
        lock(&self.pending).insert(id, sender);
        let _guard = PendingGuard { pending: &self.pending, id };
        let message = Message::Request { id, from: self.address(), request: request.clone() };
        let retention = request.retention();
        futures_util::future::try_join_all(nodes.iter().map(|node| self.send(node, &message, retention))).await?;
        let mut responses = Responses { all: Vec::new(), missing: nodes };
        while !responses.missing.is_empty() {
            let Ok(Some((node, response))) = timeout_at(deadline, receiver.recv()).await else { break };
            if let Some(at) = responses.missing.iter().position(|address| **address == *node) {
                responses.missing.swap_remove(at);
                responses.all.push(response);
            }
        }
        Ok(responses)
    }

    /// Checks that another live node has this address. For a second the answer may be as it was before, except for an address that is new.
    async fn check_live(&self, address: &str) -> Result<(), Refusal> {
        let is_fresh =
            |list: &ListedNodes| list.read_at.elapsed() < if list.others.contains_key(address) { LISTED_FOR } else { UNKNOWN_FOR };
        let known = lock(&self.listed).clone().filter(is_fresh);
        let others = if let Some(list) = known {
            list.others
        } else {
            let others: Arc<HashMap<_, _>> = Arc::new(self.listed().await?.into_iter().collect());
            *lock(&self.listed) = Some(ListedNodes { read_at: Instant::now(), others: others.clone() });
            others
        };
        match others.get(address) {
            Some(true) => Ok(()),
            // It may be back soon: after an outage of the store, all leases have expired.
            Some(false) => {
                Err(Refusal::new(ErrorCode::ServiceUnavailable, "The node of the session does not renew its lease. Connect again."))
            }
            None => Err(unknown_node()),
        }
    }

    /// The addresses of the other nodes, read from Redis now, and whether they are alive.
    async fn listed(&self) -> Result<Vec<(Box<str>, bool)>, Refusal> {
        let Some(nodes) = self.broker.nodes() else { return Ok(Vec::new()) };
        let (this_node, mut all) = (nodes.address(), nodes.list().await?);
        // A process whose lease expired may be listed with two generations. The one that is alive comes last.
        all.sort_by_key(|node| node.is_alive);
        let others = all.into_iter().map(|node| (node.id.address().into(), node.is_alive));
        Ok(others.filter(|(address, _): &(Box<str>, bool)| **address != *this_node).collect())
    }

    /// Addresses of the other live nodes, read from Redis now.
    async fn others(&self) -> Result<Vec<Box<str>>, Refusal> {
        let mut others: Vec<_> = self.listed().await?.into_iter().filter_map(|(address, is_alive)| is_alive.then_some(address)).collect();
        others.sort_unstable();
        others.dedup();
        Ok(others)
    }

    /// None without Redis: there are no other nodes.
    fn address(&self) -> String {
        self.broker.nodes().map(Nodes::address).unwrap_or_default()
    }

    async fn send(&self, node: &str, message: &Message, retention: Option<Retention>) -> Result<(), BrokerError> {
        let Some(channel) = node_channel(node) else {
            return Err(BrokerError::Unavailable("the name of a node is no valid channel name".into()));
        };
        let publication = NewPublication {
            content: message.to_data().into(),
            tags: Tags::new(),
            info: None,
            traceparent: None,
            retention,
            identity: None,
        };
        self.broker.publish(&channel, publication).await.map(drop)
    }

    /// Handles requests of other nodes, and passes their responses on. Never returns.
    pub(super) async fn serve_requests(self: Arc<Self>) {
        let Some(channel) = node_channel(&self.address()) else { return };
        let mut inbox = loop {
            match Inbox::open(self.broker.clone(), self.inbox.0.clone(), self.inbox.1, channel.clone()).await {
                Ok(inbox) => break inbox,
                Err(_) => sleep(RETRY_PAUSE).await,
            }
        };
        // Messages may have been published before the inbox was open.
        self.messages_missed.notify_one();
        let (permits, post_permits) = (Arc::new(Semaphore::new(CONCURRENT_REQUESTS)), Arc::new(Semaphore::new(CONCURRENT_POSTS)));
        let mut failures = FailureLog::default();
        loop {
            let data = match inbox.next().await {
                Incoming::Message(data) => data,
                Incoming::Gap => {
                    tracing::warn!("messages of other nodes were missed: they had left the history");
                    self.messages_missed.notify_one();
                    continue;
                }
            };
            match Message::parse(&data) {
                Some(Message::Request { id, from, request: Request::Post(_) }) if post_permits.available_permits() == 0 => {
                    self.posts_dropped.fetch_add(1, Relaxed);
                    failures
                        .failed(|| tracing::warn!(id, from, "too many commands for streams came from other nodes; some were not taken"));
                }
                Some(Message::Request { id, from, request }) => {
                    let retention = request.retention();
                    // Posts must not hold up what services and operators ask for.
                    let permits = if retention.is_some() { &permits } else { &post_permits };
                    let Ok(permit) = permits.clone().acquire_owned().await else { return };
                    let this = self.clone();
                    let response = self.clone().begin(request);
                    tokio::spawn(async move {
                        let response = response.await.unwrap_or_else(|refusal| Response::Failed(refusal.detail));
                        let message = Message::Response { id, from: this.address(), response };
                        if let Err(error) = this.send(&from, &message, retention).await {
                            tracing::warn!(node = from, %error, "the response to another node could not be sent");
                        }
                        drop(permit);
                    });
                }
                Some(Message::Response { id, from, response }) => {
                    // A request that has timed out is no longer pending.
                    let pending = lock(&self.pending).get(&id).cloned();
                    pending.map(|pending| pending.try_send((from, response)));
                }
                None => tracing::warn!("a message of another node was not understood: it may have another version"),
            }
        }
    }

    /// Begins to carry out a request. Posted commands are in the mailbox of their worker when this returns, so they keep their order.
    fn begin(self: Arc<Self>, request: Request) -> BoxFuture<'static, Result<Response, Refusal>> {
        match request {
            Request::Post(post) => match post.into_model() {
                Some((key, commands)) => self.local.post_commands(key, commands).map_ok(Response::Posted).boxed(),
                None => ready(Err(not_understood())).boxed(),
            },
            other => async move { self.respond(other).await }.boxed(),
        }
    }

    async fn respond(&self, request: Request) -> Result<Response, Refusal> {
        Ok(match request {
            // `begin` carries it out.
            Request::Post(_) => return Err(not_understood()),
            Request::Command(target, command) => {
                let (target, command) = target.into_model().zip(command.into_model()).ok_or_else(not_understood)?;
                Response::Number(self.local.command(target, command).await?)
            }
            Request::Connections(target) => {
                let found = self.local.connections(target.into_model().ok_or_else(not_understood)?).await?;
                Response::Connections(found.iter().map(Connection::from).collect())
            }
            Request::WatchUser(user) => {
                let user = user.parse().map_err(|_| not_understood())?;
                // First, so that a connection that is not found yet asks.
                self.watched_users.watch(&user);
                let found = self.local.connections(CommandTarget::User(user)).await?;
                Response::Connections(found.iter().map(Connection::from).collect())
            }
            Request::Subscribers(channel) => {
                Response::Number(self.local.subscribers(&channel.parse().map_err(|_| not_understood())?).await?)
            }
            Request::Drain(order) => {
                let (done, counts) = oneshot::channel();
                let taken = self.drain_orders.send((order, done)).await.is_ok();
                Response::Number(usize::from(taken && counts.await.unwrap_or(false)))
            }
        })
    }
}

/// The channel of the node at this address. Namespaces of frontends and services never begin with `$`.
fn node_channel(address: &str) -> Option<ChannelName> {
    format!("$node:{address}").parse().ok()
}

fn not_understood() -> Refusal {
    Refusal::new(ErrorCode::Internal, "A node of another version did not understand the request.")
}

/// The commands may have reached the node of the session.
fn post_unanswered() -> Refusal {
    let detail = "The node of the session did not answer in time. It may have carried the commands out. Connect again.";
    Refusal::new(ErrorCode::OutcomeUnknown, detail)
}

/// No live node has this address.
pub(super) fn unknown_node() -> Refusal {
    Refusal::new(ErrorCode::NotFound, "No node has this session: the node was restarted, or is gone. Connect again.")
}

/// Removes a request from the pending ones when dropped.
struct PendingGuard<'a> {
    pending: &'a Mutex<HashMap<u64, mpsc::Sender<(String, Response)>>>,
    id: u64,
}

impl Drop for PendingGuard<'_> {
    fn drop(&mut self) {
        lock(self.pending).remove(&self.id);
    }
}
