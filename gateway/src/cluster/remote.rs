//! The other nodes: who they are, and what is asked of them.

use super::{
    Times,
    dead::Bereft,
    inbox::{Heard, Inbox, RETENTION},
    local::Local,
    members::Member,
    message::{Answer, Connection, Message, Question},
};
use crate::broker::{Broker, BrokerError, Lease, Mailbox, NewPublication, NodeId, NodeRecord, Nodes, Post};
use gateway_core::{
    channel::Namespaces,
    model::{ChannelName, ErrorCode, Refusal, Tags, WorkerId, lock},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore, mpsc, watch},
    time::{Instant, sleep, timeout, timeout_at},
};

/// Time that every node has for an answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// Questions of other nodes that are answered at a time.
const ANSWERS: usize = 64;
/// For the store to take note that this node leaves.
const FAREWELL: Duration = Duration::from_secs(1);
/// Before a connection to the store that does not work is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// See the module.
pub(super) struct Remote {
    pub(super) broker: Arc<Broker>,
    pub(super) local: Local,
    /// Where the broker puts what other nodes say, as if it were a worker.
    pub(super) inbox: (Arc<Mailbox>, WorkerId),
    pub(super) times: Times,
    pub(super) namespaces: Namespaces,
    me: Member,
    /// Who is to be cleared away.
    pub(super) dead: watch::Sender<Vec<NodeId>>,
    links: watch::Sender<Arc<[String]>>,
    waiting: Mutex<HashMap<u64, mpsc::Sender<(String, Answer)>>>,
    next: AtomicU64,
    trouble: Mutex<Option<Box<str>>>,
    /// This node registers anew.
    anew: Notify,
    /// Lives of this node that have ended, and in whose name connections may still be entered.
    former: Mutex<Vec<NodeId>>,
    /// Something may have been said to this node that it did not hear.
    missed: Notify,
    /// Services want to hear of the end of every connection.
    pub(super) register_connections: Notify,
    /// To whom tells services what ended with a dead node.
    pub(super) bereft: mpsc::Sender<Bereft>,
    pub(super) teller: Mutex<Option<mpsc::Receiver<Bereft>>>,
}

impl Remote {
    pub(super) fn new(
        broker: Arc<Broker>,
        local: Local,
        inbox: (Arc<Mailbox>, WorkerId),
        namespaces: Namespaces,
        me: Member,
        times: Times,
    ) -> Self {
        let (bereft, teller) = mpsc::channel(1);
        Self {
            broker,
            local,
            inbox,
            times,
            links: watch::Sender::new([me.link.to_string()].into()),
            dead: watch::Sender::default(),
            namespaces,
            me,
            waiting: Mutex::default(),
            next: AtomicU64::new(1),
            trouble: Mutex::new(Some("not registered with the cluster yet".into())),
            anew: Notify::new(),
            former: Mutex::default(),
            missed: Notify::new(),
            register_connections: Notify::new(),
            bereft,
            teller: Mutex::new(Some(teller)),
        }
    }

    /// All that are registered and alive now.
    pub(super) async fn members(&self) -> Result<Vec<Member>, BrokerError> {
        let Some(nodes) = self.broker.nodes() else { return Ok(vec![self.me.clone()]) };
        Ok(alive(&nodes.list().await?))
    }

    /// Where services reach them, as it changes.
    pub(super) fn links(&self) -> watch::Receiver<Arc<[String]>> {
        self.links.subscribe()
    }

    /// Why this node does not belong to the cluster.
    pub(super) fn trouble(&self) -> Option<Box<str>> {
        lock(&self.trouble).clone()
    }

    /// Asks every other live node, and awaits all answers.
    pub(super) async fn ask(&self, question: &Question) -> Result<Vec<Answer>, Refusal> {
        let others = self.others().await?;
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + PATIENCE;
        let id = self.next.fetch_add(1, Relaxed);
        let (give, mut take) = mpsc::channel(others.len());
        lock(&self.waiting).insert(id, give);
        let _forget = Forget { waiting: &self.waiting, id };
        let ask = Message::Ask { id, from: self.name(), question: question.clone() };
        let asked = others.iter().map(|node| self.say(node, &ask));
        futures_util::future::try_join_all(asked).await?;
        let (mut silent, mut answers) = (others, Vec::new());
        while !silent.is_empty() {
            let Ok(Some((node, answer))) = timeout_at(deadline, take.recv()).await else { break };
            if let Some(at) = silent.iter().position(|name| **name == *node) {
                silent.swap_remove(at);
                answers.push(answer);
            }
        }
        let failed = answers.iter().find_map(|answer| if let Answer::Failed(why) = answer { Some(why.clone()) } else { None });
        match failed {
            _ if !silent.is_empty() => {
                let names = silent.join(", ");
                let detail = format!("Not every node answered in time: {names}. The others may have carried the request out. Try again.");
                Err(Refusal::new(ErrorCode::ServiceUnavailable, detail))
            }
            Some(why) => Err(Refusal::new(ErrorCode::ServiceUnavailable, why)),
            None => Ok(answers),
        }
    }

    /// Names of the other live nodes, as the store has them now.
    async fn others(&self) -> Result<Vec<Box<str>>, Refusal> {
        let Some(nodes) = self.broker.nodes() else { return Ok(Vec::new()) };
        let (me, all) = (self.name(), nodes.list().await?);
        Ok(all.into_iter().filter(|node| node.is_alive && *node.id.name != *me).map(|node| node.id.name).collect())
    }

    fn name(&self) -> String {
        self.me.name.to_string()
    }

    async fn say(&self, node: &str, message: &Message) -> Result<(), BrokerError> {
        let Some(channel) = channel_of(node) else { return Err(BrokerError::Unavailable("a node's name makes no channel".into())) };
        let publication = NewPublication {
            data: message.to_data(),
            tags: Tags::new(),
            info: None,
            traceparent: None,
            retention: Some(RETENTION),
            idempotency: None,
        };
        self.broker.publish(&channel, publication).await.map(drop)
    }

    /// Answers what other nodes ask, and hands on what they answer. For good.
    pub(super) async fn listen(self: Arc<Self>) {
        let Some(channel) = channel_of(&self.name()) else { return };
        let mut inbox = loop {
            match Inbox::open(self.broker.clone(), self.inbox.0.clone(), self.inbox.1, channel.clone()).await {
                Ok(inbox) => break inbox,
                Err(_) => sleep(RETRY).await,
            }
        };
        // Who spoke before nobody heard.
        self.missed.notify_one();
        let answers = Arc::new(Semaphore::new(ANSWERS));
        loop {
            let data = match inbox.next().await {
                Heard::Message(data) => data,
                Heard::Gap => {
                    tracing::warn!("what other nodes said meanwhile is kept no more");
                    self.missed.notify_one();
                    continue;
                }
            };
            match Message::parse(&data) {
                Some(Message::Ask { id, from, question }) => {
                    let Ok(permit) = answers.clone().acquire_owned().await else { return };
                    let this = self.clone();
                    tokio::spawn(async move {
                        let answer = this.answer(question).await.unwrap_or_else(|refusal| Answer::Failed(refusal.detail));
                        let answer = Message::Answer { id, from: this.name(), answer };
                        if let Err(error) = this.say(&from, &answer).await {
                            tracing::warn!(node = from, %error, "a question of another node could not be answered");
                        }
                        drop(permit);
                    });
                }
                Some(Message::Answer { id, from, answer }) => {
                    let asked = lock(&self.waiting).get(&id).cloned();
                    // Who asked may have given up.
                    asked.map(|asked| asked.try_send((from, answer)));
                }
                None => tracing::warn!("another node said something that this version does not understand"),
            }
        }
    }

    async fn answer(&self, question: Question) -> Result<Answer, Refusal> {
        let not_understood = || Refusal::new(ErrorCode::Internal, "A node of another version did not understand the request.");
        Ok(match question {
            Question::Command(target, command) => {
                let (target, command) = target.into_model().zip(command.into_model()).ok_or_else(not_understood)?;
                Answer::Number(self.local.command(target, command).await?)
            }
            Question::Connections(target) => {
                let found = self.local.connections(target.into_model().ok_or_else(not_understood)?).await?;
                Answer::Connections(found.iter().map(Connection::from).collect())
            }
            Question::Subscribers(channel) => {
                Answer::Number(self.local.subscribers(&channel.parse().map_err(|_| not_understood())?).await?)
            }
        })
    }

    /// Tells the workers what became of this node. For good.
    pub(super) async fn remind(&self) {
        let anew = self.local.tell_whenever(&self.anew, || Post::RegisterAgain);
        let missed = self.local.tell_whenever(&self.missed, || Post::CheckRevocations);
        let register_connections = self.local.tell_whenever(&self.register_connections, || Post::RegisterConnections);
        futures_util::future::join3(anew, missed, register_connections).await;
    }

    /// Registers this node, keeps it registered, and says who is dead. For good.
    pub(super) async fn belong(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        let mut standing = Standing::Outside;
        loop {
            match self.heartbeat(nodes, standing).await {
                Ok(next) => {
                    let goes_on = matches!((standing, next), (Standing::Since(_), Standing::Since(_)));
                    standing = next;
                    if !goes_on {
                        continue;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the heartbeat of this node did not reach Redis");
                    standing = standing.interrupted();
                    nodes.judge(false);
                }
            }
            sleep(self.times.lease / 3).await;
        }
    }

    async fn heartbeat(&self, nodes: &Nodes, standing: Standing) -> Result<Standing, BrokerError> {
        let record = self.me.record();
        let since = match standing {
            Standing::Outside | Standing::Again => {
                nodes.enter(&record, self.times.lease).await?;
                if standing == Standing::Again {
                    self.anew.notify_one();
                }
                self.missed.notify_one();
                return Ok(Standing::Since(Instant::now()));
            }
            Standing::Since(_) if nodes.renew(&record, self.times.lease).await? == Lease::Lost => {
                tracing::warn!("the lease of this node had ended: it registers anew");
                nodes.judge(false);
                let former = nodes.begin_generation(&record).await?;
                lock(&self.former).push(former);
                return Ok(Standing::Again);
            }
            Standing::Since(since) => since,
        };
        self.delete_connections_of(nodes).await;
        let all = nodes.list().await?;
        self.see(&all);
        // After an outage every lease has ended. Who lives has one whole lease to say so.
        let judges = since.elapsed() > self.times.lease;
        nodes.judge(judges);
        let dead = all.into_iter().filter(|node| judges && !node.is_alive).map(|node| node.id);
        self.dead.send_replace(dead.collect());
        Ok(Standing::Since(since))
    }

    /// Has nobody tell the ends of connections that live on. After an outage everybody does so before anybody is taken for dead.
    async fn delete_connections_of(&self, nodes: &Nodes) {
        let former = lock(&self.former).clone();
        for life in &former {
            match timeout(self.times.lease / 3, nodes.delete_connections_of(life)).await {
                Ok(Ok(())) => lock(&self.former).retain(|it| it != life),
                // The next heartbeat tries again.
                Ok(Err(error)) => return tracing::warn!(%error, "connections of this node are still known from its former life"),
                Err(_) => return tracing::warn!("connections of this node are still known from its former life: Redis does not answer"),
            }
        }
    }

    /// Takes note of who lives.
    fn see(&self, all: &[NodeRecord]) {
        let alive = alive(all);
        let differs = alive.iter().find_map(|other| self.me.differs(other));
        if let Some(why) = &differs {
            tracing::error!("{why}");
        }
        *lock(&self.trouble) = differs.map(Into::into);
        self.links.send_if_modified(|links| {
            let now: Arc<[String]> = alive.iter().map(|node| node.link.to_string()).collect();
            let changed = *links != now;
            *links = now;
            changed
        });
    }

    /// Takes this node off the list.
    pub(super) async fn leave(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        match timeout(FAREWELL, nodes.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "this node could not leave the cluster; its lease will end"),
            Err(_) => tracing::warn!("this node could not leave the cluster in time; its lease will end"),
        }
    }
}

/// Those of them that live, by name.
fn alive(all: &[NodeRecord]) -> Vec<Member> {
    let mut alive: Vec<_> = all.iter().filter(|node| node.is_alive).filter_map(Member::parse).collect();
    // A node that came back before the lease of its last life ended is there twice.
    alive.sort_by(|a, b| a.name.cmp(&b.name).then(b.since_ms.cmp(&a.since_ms)));
    alive.dedup_by(|a, b| a.name == b.name);
    alive
}

/// Whether a node is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not yet.
    Outside,
    /// Not yet again, after its lease had ended.
    Again,
    /// It is, and no heartbeat has failed since then.
    Since(Instant),
}

impl Standing {
    /// A heartbeat failed.
    fn interrupted(self) -> Self {
        match self {
            Self::Outside | Self::Again => self,
            Self::Since(_) => Self::Since(Instant::now()),
        }
    }
}

/// Where a node is spoken to. No namespace that frontends or services may use begins with `$`.
fn channel_of(node: &str) -> Option<ChannelName> {
    format!("$node:{node}").parse().ok()
}

/// Forgets a question once nobody waits for its answers.
struct Forget<'a> {
    waiting: &'a Mutex<HashMap<u64, mpsc::Sender<(String, Answer)>>>,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        lock(self.waiting).remove(&self.id);
    }
}
