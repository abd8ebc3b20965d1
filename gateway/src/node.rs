//! One gateway process: what the REST interface and the connections share.

use crate::{
    auth::{CurrentKeys, Tokens},
    broker::{Broker, BrokerError, Nodes, Readiness},
    cluster::Cluster,
    ingest::Ingest,
    limits::{Addresses, KeyRates, UserConnections},
    publish::Publisher,
    queues::{QueueMonitor, QueueOperations, Queues},
    services::Services,
    telemetry::{Audit, Metrics},
};
use gateway_core::{
    channel::WhenAway,
    model::{ErrorCode, Refusal, Revocation, RevocationTarget, ServerCommand, Transition, Transitions, lock},
    session::SessionConfig,
    stomp::StompConfig,
};
use shared_proto::rest::ReadyBody;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// One gateway process, shared by all threads.
pub struct Node {
    /// Unique in the cluster.
    pub name: Arc<str>,
    /// Configuration of all sessions.
    pub session_config: Arc<SessionConfig>,
    /// Configuration of all STOMP connections.
    pub stomp_config: Arc<StompConfig>,
    /// Publications, histories and presence.
    pub broker: Arc<Broker>,
    /// Publishes into channels.
    pub publisher: Arc<Publisher>,
    /// Publishes what services put into streams. `None`: it is off.
    pub ingest: Option<Ingest>,
    /// The services that frontends may call.
    pub services: Arc<Services>,
    /// Queues of services and ingest, for operators.
    pub queues: QueueOperations<Queues>,
    /// What was seen of the queues last.
    pub queue_monitor: QueueMonitor,
    /// All nodes of the cluster, and their connections.
    pub cluster: Cluster,
    /// Verifies tokens of frontends.
    pub tokens: Tokens,
    /// Verifies API keys of services.
    pub api_keys: CurrentKeys,
    /// What the clients of each address may do.
    pub addresses: Addresses,
    /// How many open connections a user may have on all nodes together.
    pub user_connections: UserConnections,
    /// How many requests services may send.
    pub key_rates: KeyRates,
    /// Writes down who did what, and who was refused.
    pub audit: Arc<Audit>,
    /// Largest number of entries in one answer with presence.
    pub presence_limit: usize,
    /// How long a revocation is remembered.
    pub revocation_ttl: Duration,
    /// What becomes of a token of an open connection if revocations cannot be read.
    pub when_away: WhenAway,
    /// Revocations by this node.
    pub revocations: RevocationCounters,
    /// Largest answer with history, in bytes.
    pub history_bytes: usize,
    /// Limits of the REST interface.
    pub api: ApiLimits,
    /// Whether the process is shutting down.
    pub health: Health,
    /// All metrics.
    pub metrics: Arc<Metrics>,
}

/// Limits of the REST interface.
#[derive(Clone, Copy, Debug)]
pub struct ApiLimits {
    /// Largest body of a request, in bytes.
    pub body: usize,
    /// Publications in one batch.
    pub batch: usize,
    /// Channels or users of one broadcast.
    pub broadcast: usize,
    /// Bytes of a broadcast that are on their way to the broker at a time, so that it neither fills the memory nor delays all other publishes.
    pub broadcast_bytes: usize,
    /// Publications in one page of history.
    pub history: usize,
    /// Channels in one page.
    pub channels: usize,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self { body: 1 << 20, batch: 1000, broadcast: 10_000, broadcast_bytes: 8 << 20, history: 1000, channels: 1000 }
    }
}

/// A phase of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessPhase {
    /// It accepts connections and links.
    Serving,
    /// It accepts connections and links, but is not ready, so that load balancers send no more.
    Leaving,
    /// It accepts no new connections and links, and closes the connections one after another.
    Draining,
    /// It closes the links and both listeners.
    Stopping,
    /// It has left the cluster.
    Stopped,
}

/// What ends a phase of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// The process got a signal.
    EndRequested,
    /// `drain.delay` passed.
    DelayPassed,
    /// The last connection closed.
    ConnectionsClosed,
    /// `drain.deadline` passed, and some connections are still open.
    DeadlinePassed,
    /// The process has to stop without a drain.
    StopRequested,
    /// The links are closed, and the node has left the cluster.
    ClusterLeft,
}

const PROCESS: Transitions<ProcessPhase, ProcessEvent> = {
    use ProcessEvent as Event;
    use ProcessPhase::{Draining, Leaving, Serving, Stopped, Stopping};
    Transitions(&[
        Transition { event: Event::EndRequested, from: &[Serving], to: Leaving },
        Transition { event: Event::DelayPassed, from: &[Leaving], to: Draining },
        Transition { event: Event::ConnectionsClosed, from: &[Draining], to: Stopping },
        Transition { event: Event::DeadlinePassed, from: &[Draining], to: Stopping },
        Transition { event: Event::StopRequested, from: &[Serving], to: Stopping },
        Transition { event: Event::ClusterLeft, from: &[Stopping], to: Stopped },
    ])
};

/// State of the process for its probes.
#[derive(Debug)]
pub struct Health {
    phase: Mutex<ProcessPhase>,
}

impl Default for Health {
    fn default() -> Self {
        Self { phase: Mutex::new(ProcessPhase::Serving) }
    }
}

impl Health {
    /// Enters the phase that follows after this event.
    pub fn apply(&self, event: ProcessEvent) {
        let mut phase = lock(&self.phase);
        *phase = PROCESS.follow(*phase, event);
    }

    /// Whether the process will stop. Then it is not ready.
    pub fn is_ending(&self) -> bool {
        *lock(&self.phase) != ProcessPhase::Serving
    }

    /// Whether the process takes no new connections and links.
    pub fn is_draining(&self) -> bool {
        !matches!(*lock(&self.phase), ProcessPhase::Serving | ProcessPhase::Leaving)
    }
}

/// What a node can serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeReadiness {
    /// All.
    Ready,
    /// Some channels and queues; the reasons for the others.
    Partial(Vec<String>),
    /// None; the reasons.
    NotReady(Vec<String>),
}

impl NodeReadiness {
    /// `others`: further reasons why the node is not ready. `partial`: why it does not serve everything, although it is ready.
    fn of(broker: Readiness, mut others: Vec<String>, partial: Vec<String>) -> Self {
        match broker {
            Readiness::Ready if others.is_empty() && partial.is_empty() => Self::Ready,
            Readiness::Ready if others.is_empty() => Self::Partial(partial),
            Readiness::Partly(why) if others.is_empty() => Self::Partial([vec![why.into()], partial].concat()),
            Readiness::Ready => Self::NotReady(others),
            Readiness::Partly(why) | Readiness::NotReady(why) => {
                others.insert(0, why.into());
                Self::NotReady(others)
            }
        }
    }
}

impl From<NodeReadiness> for ReadyBody {
    fn from(readiness: NodeReadiness) -> Self {
        match readiness {
            NodeReadiness::Ready => Self::ready(),
            NodeReadiness::Partial(reasons) => Self { ready: true, reasons },
            NodeReadiness::NotReady(reasons) => Self { ready: false, reasons },
        }
    }
}

#[cfg(feature = "testing")]
impl Node {
    /// A node for tests, alone in its cluster and without services.
    pub(crate) fn alone(broker: Arc<Broker>, mailboxes: Vec<Arc<crate::broker::Mailbox>>, session_config: SessionConfig) -> Self {
        use crate::{
            auth::ApiKeys,
            cluster::{Holds, NodeDescription, WatchedUsers},
            publish::PublishLimits,
            queues::{MemoryLimits, MemoryQueues},
            services::LinkLimits,
            settings::Settings,
            telemetry::Telemetry,
        };
        static METRICS: std::sync::LazyLock<(Settings, Arc<Metrics>)> = std::sync::LazyLock::new(|| {
            let settings = Settings::from_toml("[tokens]\nanonymous = true\nhmac_secret = \"secret\"\nunbounded = true").expect("valid");
            let metrics = Telemetry::without_logs(&settings).expect("no endpoint").metrics().clone();
            (settings, metrics)
        });
        let (settings, metrics) = &*METRICS;
        let about =
            NodeDescription { name: session_config.node.clone(), link: "ws://n1".into(), public: "http://n1".into(), shared: [].into() };
        Self {
            name: session_config.node.clone(),
            publisher: Arc::new(Publisher::new(broker.clone(), session_config.namespaces.clone(), PublishLimits::default())),
            ingest: None,
            session_config: Arc::new(session_config),
            stomp_config: Arc::default(),
            services: Arc::new(Services::new([], LinkLimits::default())),
            queues: QueueOperations::new(
                Arc::new(Queues::Memory(MemoryQueues::new(MemoryLimits {
                    lease: Duration::from_secs(10),
                    max_length: 1000,
                    max_dead: 10,
                    memory_bytes: 1 << 20,
                }))),
                [].into(),
            ),
            queue_monitor: QueueMonitor::default(),
            cluster: Cluster::single(
                about,
                mailboxes,
                Holds::new(broker.clone(), std::time::Duration::from_secs(2)),
                WatchedUsers::new(64),
            ),
            broker,
            tokens: Tokens::from(&settings.tokens),
            api_keys: CurrentKeys::new(ApiKeys::try_from(&*settings.api_keys).expect("valid")),
            addresses: Addresses::unlimited(),
            user_connections: UserConnections::UNLIMITED,
            key_rates: KeyRates::new(None, []),
            audit: Arc::new(Audit::new(settings.internal.audit_refusals)),
            presence_limit: 100,
            revocation_ttl: std::time::Duration::from_hours(24),
            when_away: WhenAway::Allow,
            revocations: RevocationCounters::default(),
            history_bytes: 1 << 20,
            api: ApiLimits::default(),
            health: Health::default(),
            metrics: metrics.clone(),
        }
    }
}

/// The number of revocations of each kind.
#[derive(Debug, Default)]
pub struct RevocationCounters([AtomicU64; 4]);

impl RevocationCounters {
    const KINDS: [&str; 4] = ["user", "sub", "sid", "jti"];

    fn add(&self, target: &RevocationTarget) {
        if let Some(at) = Self::KINDS.iter().position(|kind| *kind == target.kind()) {
            self.0[at].fetch_add(1, Relaxed);
        }
    }

    /// Each kind, with its number.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Self::KINDS.into_iter().zip(&self.0).map(|(kind, count)| (kind, count.load(Relaxed)))
    }
}

impl Node {
    // NL-7.9
    /// Stores a revocation. Connects and new tokens find it; [`Self::revoke`] also closes open connections.
    pub async fn store_revocation(&self, target: &RevocationTarget, revocation: Revocation) -> Result<(), Refusal> {
        self.broker.revoke(target, revocation, self.revocation_ttl).await.map_err(|error| match error {
            BrokerError::OutcomeUnknown => {
                let detail = "The store did not confirm the revocation. Repeat the request: that does no harm.";
                Refusal::new(ErrorCode::ServiceUnavailable, detail)
            }
            other => other.into(),
        })?;
        self.revocations.add(target);
        Ok(())
    }

    /// Revokes tokens, and closes the connections of all nodes that use one of them. Returns the number of connections whose token has the user or the
    /// claim; those whose token is newer than the revocation stay.
    ///
    /// After an error other than that of the store, the revocation is stored, and some nodes may not have closed their connections.
    pub async fn revoke(&self, target: RevocationTarget, revocation: Revocation) -> Result<usize, Refusal> {
        // Stored before the command, so that a connection in its handshake either gets the command or reads the revocation.
        self.store_revocation(&target, revocation.clone()).await?;
        self.cluster.command(target.into(), ServerCommand::Revoke(Arc::new(revocation))).await
    }

    /// The node and its generation, as one word.
    pub fn holder(&self) -> Box<str> {
        // With the memory broker, a process has one generation: connections end with it, and their ids are unique.
        self.broker.nodes().map_or_else(|| format!("{}/1", self.name), Nodes::holder).into()
    }

    /// Which channels the node can serve now.
    pub fn readiness(&self) -> NodeReadiness {
        let ending = self.health.is_ending().then(|| "This node is shutting down.".to_owned());
        let others = ending.into_iter().chain(self.cluster.problem().map(String::from)).chain(self.services.queue_problems());
        let others = others.chain(self.ingest.as_ref().and_then(Ingest::problem));
        let full = self.services.full_dead_letters().into_iter().chain(self.ingest.as_ref().and_then(Ingest::full_dead_letters));
        // Tokens of other issuers are still verified, and connections stay open.
        let partial = full.chain(self.tokens.sources().filter_map(|(_, source)| source.problem()));
        NodeReadiness::of(self.broker.readiness(), others.collect(), partial.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_phases_of_the_process() {
        let (page, expected) = (include_str!("../../docs/state-machines.md"), PROCESS.markdown());
        assert!(page.contains(&expected), "docs/state-machines.md does not contain this text:\n{expected}");
    }

    #[test]
    fn readiness_combines_the_broker_with_other_reasons() {
        let one = || vec!["one".to_owned()];
        let both = || vec!["two".to_owned(), "one".to_owned()];
        for (broker, others, partial, readiness) in [
            (Readiness::Ready, vec![], vec![], NodeReadiness::Ready),
            (Readiness::Ready, vec![], one(), NodeReadiness::Partial(one())),
            (Readiness::Partly("one".into()), vec![], vec![], NodeReadiness::Partial(one())),
            (Readiness::Partly("two".into()), vec![], one(), NodeReadiness::Partial(both())),
            (Readiness::NotReady("one".into()), vec![], vec![], NodeReadiness::NotReady(one())),
            (Readiness::Ready, one(), vec![], NodeReadiness::NotReady(one())),
            (Readiness::Partly("two".into()), one(), vec![], NodeReadiness::NotReady(both())),
        ] {
            assert_eq!(NodeReadiness::of(broker, others, partial), readiness);
        }
        assert_eq!(NodeReadiness::of(Readiness::Ready, vec![], one()), NodeReadiness::Partial(one()), "queues wait, and channels work");
        assert_eq!(NodeReadiness::of(Readiness::Ready, vec!["two".into()], one()), NodeReadiness::NotReady(vec!["two".into()]));
    }
}
