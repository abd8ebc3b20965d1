//! All services of the settings.

use super::{
    config::{LinkLimits, Reach, ServiceConfig},
    counters::{Count, Counters},
    instance::{Heard, InstanceSummary, Spend},
    lifecycle::{Interests, Lifecycle, LifecycleKind},
    service::Service,
};
use crate::telemetry::Metrics;
use gateway_core::model::{ErrorCode, Refusal, ServiceName, Tick};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

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
pub(super) struct Told {
    pub(super) sent: u64,
    pub(super) full: u64,
    pub(super) away: u64,
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
    pub(super) by_name: BTreeMap<ServiceName, Service>,
    pub(super) links: LinkLimits,
    start: Instant,
    /// Union of what instances have asked to hear, so that nobody locks for what nobody wants.
    pub(super) interests: AtomicU8,
    /// Whether an instance has ever asked for the end of every connection.
    pub(super) ends_wanted: watch::Sender<bool>,
    /// How long the end of a dead node's connection waits to be taken.
    pub(super) ends_wait: Duration,
    pub(super) counters: Counters,
    pub(super) closing: CancellationToken,
    /// Links that have not said goodbye.
    pub(super) open: TaskTracker,
    pub(super) metrics: Option<Arc<Metrics>>,
}

impl Services {
    /// The services of the settings, none of them there yet. Needs a runtime, for its clock.
    pub fn new(services: impl IntoIterator<Item = (ServiceName, ServiceConfig)>, links: LinkLimits) -> Self {
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

    pub(super) fn tell(&self, event: &Lifecycle, spend: Spend) -> Told {
        let (interest, subject) = (Interests::only(event.kind), event.connection.to_string());
        let each = self.by_name.values().filter_map(|service| service.pool().tell(interest, &subject, spend, || event.event()));
        each.fold(Told::default(), Told::and)
    }

    pub(super) fn drop_untold(&self, told: Told) {
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
    pub fn link_limits(&self) -> &LinkLimits {
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

    pub(super) fn service(&self, name: &str) -> Result<&Service, Refusal> {
        self.by_name.get(name).ok_or_else(|| {
            let detail = format!("No service is named \"{name}\". Configure it as [services.{name}], then let an instance open its link.");
            Refusal::new(ErrorCode::NoService, detail)
        })
    }

    pub(super) fn now(&self) -> Tick {
        Tick(self.start.elapsed().as_millis() as u64)
    }

    pub(super) fn refresh_interests(&self) {
        let all = self.by_name.values().fold(Interests::default(), |all, s| all.union(s.pool().wanted()));
        self.interests.store(all.bits(), Relaxed);
        let wanted = self.hears(LifecycleKind::Disconnected);
        self.ends_wanted.send_if_modified(|ever| wanted && !std::mem::replace(ever, true));
    }
}
