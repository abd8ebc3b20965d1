//! All services of the settings.

use super::{
    config::{LinkLimits, Reach, ServiceConfig},
    counters::{Count, Counters},
    instances::instance::{CreditUse, InstanceSummary, Offered},
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

/// One service, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSummary {
    /// Its name.
    pub service: ServiceName,
    /// The way in which the gateway reaches it.
    pub reach: Reach,
    /// Calls that wait for an earlier one.
    pub waiting: usize,
    /// Its instances, by name.
    pub instances: Vec<InstanceSummary>,
}

/// Result of a lifecycle event: the number of interested services for each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OfferCounts {
    pub(super) sent: u64,
    pub(super) no_credit: u64,
    pub(super) no_instance: u64,
}

impl OfferCounts {
    fn and(mut self, offered: Offered) -> Self {
        *match offered {
            Offered::Sent => &mut self.sent,
            Offered::NoCredit => &mut self.no_credit,
            Offered::NoInstance => &mut self.no_instance,
        } += 1;
        self
    }
}

/// All services of the settings, and the links of their instances to this node.
pub struct Services {
    pub(super) by_name: BTreeMap<ServiceName, Service>,
    pub(super) links: LinkLimits,
    start: Instant,
    /// All kinds of events that any service wants. Checked first, so that other events cost no lock.
    pub(super) interests: AtomicU8,
    /// Whether any instance has ever wanted disconnects.
    pub(super) disconnects_wanted: watch::Sender<bool>,
    /// How long the gateway tries to send the `disconnected` event of a dead node's connection.
    pub(super) dead_node_event_ttl: Duration,
    pub(super) counters: Counters,
    pub(super) closing: CancellationToken,
    /// Links that are not closed yet.
    pub(super) open: TaskTracker,
    pub(super) metrics: Option<Arc<Metrics>>,
}

impl Services {
    /// The services of the settings, without instances. Needs a runtime, for its clock.
    pub fn new(services: impl IntoIterator<Item = (ServiceName, ServiceConfig)>, links: LinkLimits) -> Self {
        Self {
            by_name: services.into_iter().map(|(name, config)| (name.clone(), Service::new(name, config))).collect(),
            links,
            start: Instant::now(),
            interests: AtomicU8::new(0),
            disconnects_wanted: watch::Sender::new(false),
            dead_node_event_ttl: Duration::from_mins(10),
            counters: Counters::default(),
            closing: CancellationToken::new(),
            open: TaskTracker::new(),
            metrics: None,
        }
    }

    /// Records the duration of each call in these metrics.
    #[must_use]
    pub fn with_metrics(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Sets how long the gateway tries to send the `disconnected` event of a dead node's connection.
    #[must_use]
    pub fn with_dead_node_event_ttl(self, dead_node_event_ttl: Duration) -> Self {
        Self { dead_node_event_ttl, ..self }
    }

    /// Whether the settings name this service.
    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Whether any instance of any service has wanted events of this kind since the start. An instance that left is expected to return.
    pub fn wants(&self, kind: LifecycleKind) -> bool {
        self.interests.load(Relaxed) & Interests::only(kind).bits() != 0
    }

    /// Sends an event to the services that want it. Never waits: an event without credit or instance is dropped and counted.
    pub fn send_lifecycle(&self, event: &Lifecycle) {
        if self.wants(event.kind) {
            let counts = self.offer(event, CreditUse::All);
            self.counters.add_many(Count::LifecycleSent, counts.sent);
            self.count_dropped(counts);
        }
    }

    pub(super) fn offer(&self, event: &Lifecycle, credit_use: CreditUse) -> OfferCounts {
        let (interest, subject) = (Interests::only(event.kind), event.connection.to_string());
        let each = self.by_name.values().filter_map(|service| service.pool().offer(interest, &subject, credit_use, || event.event()));
        each.fold(OfferCounts::default(), OfferCounts::and)
    }

    pub(super) fn count_dropped(&self, counts: OfferCounts) {
        self.counters.add_many(Count::LifecycleNoCredit, counts.no_credit);
        self.counters.add_many(Count::LifecycleNoInstance, counts.no_instance);
    }

    /// Every service, with its instances.
    pub fn summary(&self) -> Vec<ServiceSummary> {
        let now = self.now();
        let each = |s: &Service| ServiceSummary {
            service: s.name.clone(),
            reach: s.config.reach,
            waiting: s.order_queues().waiting(),
            instances: s.pool().summary(now),
        };
        self.by_name.values().map(each).collect()
    }

    /// Limits of links to this node.
    pub fn link_limits(&self) -> &LinkLimits {
        &self.links
    }

    /// The counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Announces on every link that this node will leave. Calls continue.
    pub fn drain(&self) {
        self.by_name.values().for_each(|s| s.pool().send_drain());
    }

    /// Writes the queued frames of each link and closes it. Calls in flight fail. Waits until each peer has closed its side, at most
    /// [`LinkLimits::close_timeout`]. This is the last step of a drain.
    pub async fn close(&self) {
        self.closing.cancel();
        self.open.close();
        self.open.wait().await;
    }

    pub(super) fn service(&self, name: &str) -> Result<&Service, Refusal> {
        self.by_name.get(name).ok_or_else(|| {
            let detail = format!("No service is named \"{name}\". Add [services.{name}] to the settings, then start an instance.");
            Refusal::new(ErrorCode::NoService, detail)
        })
    }

    pub(super) fn now(&self) -> Tick {
        Tick(self.start.elapsed().as_millis() as u64)
    }

    pub(super) fn refresh_interests(&self) {
        let all = self.by_name.values().fold(Interests::default(), |all, s| all.union(s.pool().interests()));
        self.interests.store(all.bits(), Relaxed);
        let wanted = self.wants(LifecycleKind::Disconnected);
        self.disconnects_wanted.send_if_modified(|ever| wanted && !std::mem::replace(ever, true));
    }
}
