//! Calls, events and links of services.
//!
//! A call goes from a frontend to one instance of a service and has one answer; an event has none. Both reach the instance over the
//! link that it holds open to this node. The frontend's socket never pays for a failing service: the call ends with a code.

mod breaker;
mod call;
mod counters;
mod lanes;
mod lifecycle;
pub mod link;
mod method;
mod mourning;
mod pool;

pub use breaker::{BreakerLimits, BreakerState};
pub use call::{CallError, Caller};
pub use counters::{Count, Counters};
pub use lifecycle::{Lifecycle, LifecycleKind};
pub use pool::InstanceSummary;

use crate::telemetry::Metrics;
use gateway_core::model::{Data, ErrorCode, Refusal, ServiceName, Tick};
use lanes::Lanes;
use lifecycle::Interests;
use pool::{Heard, Pool, PoolLimits, Spend};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How an instance answers.
pub(crate) type Answer = Result<Data, CallError>;

/// How a service is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Its instances hold links to the nodes.
    Link,
}

/// Which calls of a service come one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderBy {
    /// Those of one connection.
    #[default]
    Connection,
    /// None: they run side by side.
    Nothing,
}

/// One service of the settings.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// How it is reached.
    pub reach: Reach,
    /// See [`OrderBy`].
    pub order: OrderBy,
    /// Calls that may wait for their turn, per order key.
    pub order_queue: usize,
    /// Time for an answer, at most.
    pub call_timeout: Duration,
    /// Calls under way at this node, at most.
    pub max_in_flight: usize,
    /// Instances that may hold links to this node.
    pub instances: usize,
    /// When an instance is left alone.
    pub breaker: BreakerLimits,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            reach: Reach::Link,
            order: OrderBy::default(),
            order_queue: 32,
            call_timeout: Duration::from_secs(10),
            max_in_flight: 10_000,
            instances: 64,
            breaker: BreakerLimits::default(),
        }
    }
}

/// One service as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSummary {
    /// Its name.
    pub service: ServiceName,
    /// How it is reached.
    pub reach: Reach,
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// Its instances, by name.
    pub instances: Vec<InstanceSummary>,
}

/// What became of a lifecycle event: at how many of the services that ask for it, or did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    sent: u64,
    full: u64,
    away: u64,
}

impl Told {
    fn and(mut self, heard: Heard) -> Self {
        *match heard {
            Heard::Sent => &mut self.sent,
            Heard::Full => &mut self.full,
            Heard::Away => &mut self.away,
        } += 1;
        self
    }
}

/// All services that the settings name, and the links of their instances to this node.
pub struct Services {
    by_name: BTreeMap<ServiceName, Service>,
    links: link::LinkLimits,
    start: Instant,
    /// Union of what instances have asked to hear, so that nobody locks for what nobody wants.
    interests: AtomicU8,
    /// Whether an instance has ever asked for the end of every connection.
    ends_wanted: watch::Sender<bool>,
    /// How long the end of a dead node's connection waits to be taken.
    ends_wait: Duration,
    counters: Counters,
    closing: CancellationToken,
    /// Links that have not said goodbye.
    open: TaskTracker,
    metrics: Option<Arc<Metrics>>,
}

/// One service at work.
struct Service {
    name: ServiceName,
    config: ServiceConfig,
    pool: Mutex<Pool>,
    lanes: Mutex<Lanes>,
}

impl Service {
    fn new(name: ServiceName, config: ServiceConfig) -> Self {
        let limits = PoolLimits { instances: config.instances, in_flight: config.max_in_flight, breaker: config.breaker };
        let pool = Mutex::new(Pool::new(name.as_str().into(), limits));
        let lanes = Mutex::new(Lanes::new(config.order_queue));
        Self { name, config, pool, lanes }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Services {
    /// The services of the settings, none of them there yet. Needs a runtime, for its clock.
    pub fn new(services: impl IntoIterator<Item = (ServiceName, ServiceConfig)>, links: link::LinkLimits) -> Self {
        Self {
            by_name: services.into_iter().map(|(name, config)| (name.clone(), Service::new(name, config))).collect(),
            links,
            start: Instant::now(),
            interests: AtomicU8::new(0),
            ends_wanted: watch::Sender::new(false),
            ends_wait: Duration::from_mins(10),
            counters: Counters::default(),
            closing: CancellationToken::new(),
            open: TaskTracker::new(),
            metrics: None,
        }
    }

    /// The same, with the time of each call told to these metrics.
    #[must_use]
    pub fn measured_by(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// The same, with another time that the ends of a dead node's connections wait to be taken.
    #[must_use]
    pub fn mourning_for(self, ends_wait: Duration) -> Self {
        Self { ends_wait, ..self }
    }

    /// Whether the settings name this service.
    pub fn knows(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Whether some service asks for events of this kind, or has since the start.
    pub fn hears(&self, kind: LifecycleKind) -> bool {
        self.interests.load(Relaxed) & Interests::only(kind).bits() != 0
    }

    /// Tells the services that ask for it. Never waits: what a full queue cannot take, or nobody is there to take, is counted and dropped.
    pub fn lifecycle(&self, event: &Lifecycle) {
        if self.hears(event.kind) {
            let told = self.tell(event, Spend::All);
            self.counters.add_many(Count::LifecycleSent, told.sent);
            self.drop_untold(told);
        }
    }

    fn tell(&self, event: &Lifecycle, spend: Spend) -> Told {
        let (interest, subject) = (Interests::only(event.kind), event.connection.to_string());
        let each = self.by_name.values().filter_map(|service| service.pool().tell(interest, &subject, spend, || event.event()));
        each.fold(Told::default(), Told::and)
    }

    fn drop_untold(&self, told: Told) {
        self.counters.add_many(Count::LifecycleDropped, told.full);
        self.counters.add_many(Count::LifecycleAway, told.away);
    }

    /// Every service and its instances.
    pub fn summary(&self) -> Vec<ServiceSummary> {
        let now = self.now();
        let each = |s: &Service| ServiceSummary {
            service: s.name.clone(),
            reach: s.config.reach,
            waiting: s.lanes().waiting(),
            instances: s.pool().summary(now),
        };
        self.by_name.values().map(each).collect()
    }

    /// What this node accepts on links.
    pub fn link_limits(&self) -> &link::LinkLimits {
        &self.links
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Tells every link that this node is about to leave; calls go on.
    pub fn drain(&self) {
        self.by_name.values().for_each(|s| s.pool().tell_drain());
    }

    /// Closes every link, behind all that waits for it; calls in flight fail. Resolves once each peer has said goodbye, or had its time to.
    /// For the end of a drain.
    pub async fn close(&self) {
        self.closing.cancel();
        self.open.close();
        self.open.wait().await;
    }

    fn service(&self, name: &str) -> Result<&Service, Refusal> {
        self.by_name.get(name).ok_or_else(|| {
            let detail = format!("No service is named \"{name}\". Configure it as [services.{name}], then let an instance open its link.");
            Refusal::new(ErrorCode::NoService, detail)
        })
    }

    fn now(&self) -> Tick {
        Tick(self.start.elapsed().as_millis() as u64)
    }

    fn refresh_interests(&self) {
        let all = self.by_name.values().fold(Interests::default(), |all, s| all.union(s.pool().wanted()));
        self.interests.store(all.bits(), Relaxed);
        let wanted = self.hears(LifecycleKind::Disconnected);
        self.ends_wanted.send_if_modified(|ever| wanted && !std::mem::replace(ever, true));
    }
}
