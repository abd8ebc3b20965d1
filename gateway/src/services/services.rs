//! All services of the settings.

use super::{
    carrier::Carrier,
    config::{LinkLimits, ServiceConfig},
    counters::{Count, Counters},
    guards::{config::GuardConfig, guards::Guards},
    instances::{
        instance::{CreditUse, InstanceSummary, Offered},
        links::Links,
    },
    lifecycle::{
        event::Lifecycle,
        kinds::{Interests, LifecycleKind},
        queue::{LifecycleLimits, LifecycleQueue},
        takers::PartlyTakenByNode,
    },
    queued::{
        config::{Deliver, QueueLimits},
        queueing::Queueing,
    },
    repeats::repeats::Repeats,
    routes::forwarded::{ForwardedParts, RequestKeeper},
    service::Service,
    webhook::{targets::TargetSummary, webhook::NodeEnd},
};
use crate::{
    broker::Broker,
    cluster::{Cluster, DrainAction, DrainOrder, DrainPart},
    queues::Queues,
    telemetry::Metrics,
};
use futures_util::future::join_all;
use gateway_core::model::{ErrorCode, Refusal, ServiceName, Tick, lock};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Longest pause between two attempts to send waiting events.
const CREDIT_PAUSE: Duration = Duration::from_millis(50);

/// One service, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSummary {
    /// Its name.
    pub service: ServiceName,
    /// Calls that wait for an earlier one.
    pub waiting: usize,
    /// Where its calls go.
    pub reached: Reached,
    /// Who takes events out of its queue. None: it has no queue.
    pub queue: Option<Deliver>,
}

/// How a service is reached, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Over links. Its instances, by name.
    ByLinks(Vec<InstanceSummary>),
    /// By HTTP requests. Its targets, in the order of the settings.
    ByWebhook(Vec<TargetSummary>),
    /// Only by its queue.
    ByQueue,
}

impl ServiceSummary {
    /// Its instances; none if it is not reached over links.
    pub fn instances(&self) -> &[InstanceSummary] {
        match &self.reached {
            Reached::ByLinks(instances) => instances,
            Reached::ByWebhook(_) | Reached::ByQueue => &[],
        }
    }
}

/// Result of a lifecycle event: the number of interested services for each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OfferCounts {
    pub(super) sent: u64,
    pub(super) no_credit: u64,
    pub(super) no_instance: u64,
    pub(super) waiting: u64,
    pub(super) queue_full: u64,
}

impl OfferCounts {
    pub(super) fn refused(self) -> u64 {
        self.no_credit + self.no_instance + self.queue_full
    }

    fn and(mut self, offered: Offered) -> Self {
        *match offered {
            Offered::Sent => &mut self.sent,
            Offered::NoCredit => &mut self.no_credit,
            Offered::NoInstance => &mut self.no_instance,
            Offered::Waiting => &mut self.waiting,
            Offered::QueueFull => &mut self.queue_full,
        } += 1;
        self
    }
}

/// All services of the settings, and the links of their instances to this node.
pub struct Services {
    pub(super) by_name: BTreeMap<ServiceName, Arc<Service>>,
    pub(super) links: LinkLimits,
    start: Instant,
    /// All kinds of events that any service wants. Checked first, so that other events cost no lock.
    pub(super) interests: AtomicU8,
    /// The same kinds, for those who wait until a kind is wanted.
    pub(super) wanted: watch::Sender<Interests>,
    /// See [`Self::with_event_limits`].
    pub(super) event_limits: LifecycleLimits,
    /// Events about the ends of dead nodes that only some services have.
    pub(super) partly_taken: Mutex<PartlyTakenByNode>,
    /// Events that are sent at least once, until a service wants their kind.
    unrequested: Mutex<LifecycleQueue>,
    pub(super) counters: Arc<Counters>,
    pub(super) closing: CancellationToken,
    /// Links that are not closed yet, and events of webhooks on their way.
    pub(super) open: TaskTracker,
    pub(super) metrics: Option<Arc<Metrics>>,
    /// None only where no route has keys.
    pub(super) repeats: Option<Repeats>,
    pub(super) guards: Guards,
    /// None only where no service has a queue.
    pub(super) queueing: Option<Queueing>,
    request_keeper: RequestKeeper,
}

impl Services {
    /// The services of the settings, without instances. Needs a runtime: for its clock, and for webhooks, whose requests run there.
    pub fn new(services: impl IntoIterator<Item = (ServiceName, ServiceConfig)>, links: LinkLimits) -> Self {
        let (counters, closing, open) = (Arc::new(Counters::default()), CancellationToken::new(), TaskTracker::new());
        let node_end = NodeEnd { closing: closing.clone(), close_timeout: links.close_timeout, tasks: open.clone() };
        let service = |name: ServiceName, config| (name.clone(), Arc::new(Service::new(name, config, &counters, &node_end)));
        let by_name: BTreeMap<_, _> = services.into_iter().map(|(name, config)| service(name, config)).collect();
        let services = Self {
            guards: Guards::new(GuardConfig::default(), by_name.keys()),
            by_name,
            links,
            start: Instant::now(),
            interests: AtomicU8::new(0),
            wanted: watch::Sender::default(),
            event_limits: LifecycleLimits::default(),
            partly_taken: Mutex::default(),
            unrequested: Mutex::new(LifecycleQueue::new(LifecycleLimits::default())),
            counters,
            closing,
            open,
            metrics: None,
            repeats: None,
            queueing: None,
            request_keeper: RequestKeeper::default(),
        };
        services.refresh_interests();
        services
    }

    /// Keeps of each frontend's request what the routes forward, at most `limit` bytes.
    #[must_use]
    pub fn with_kept_requests(self, limit: usize) -> Self {
        let routes = self.by_name.values().flat_map(|service| service.routes.all());
        let parts = routes.fold(ForwardedParts::default(), |all, route| all.union(&route.forwarded));
        Self { request_keeper: RequestKeeper::new(parts, limit), ..self }
    }

    /// Keeps of frontends' requests what services get.
    pub fn request_keeper(&self) -> &RequestKeeper {
        &self.request_keeper
    }

    /// Records the duration of each call in these metrics.
    #[must_use]
    pub fn with_metrics(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Keeps answers of calls with a key in this broker, each of at most `answer_size` bytes. Without it, such calls are refused.
    #[must_use]
    pub fn with_answers(self, broker: Arc<Broker>, answer_size: usize) -> Self {
        let node_end = NodeEnd { closing: self.closing.clone(), close_timeout: self.links.close_timeout, tasks: self.open.clone() };
        let repeats = Repeats::new(broker, answer_size, Arc::clone(&self.counters), node_end);
        Self { repeats: Some(repeats), ..self }
    }

    /// Keeps the events of services with a queue in this store. Without it, such events are refused.
    #[must_use]
    pub fn with_queues(self, store: Arc<Queues>, limits: QueueLimits) -> Self {
        Self { queueing: Some(Queueing::new(store, limits)), ..self }
    }

    /// Sets the limits of questions to guards, and the service that decides about connections.
    #[must_use]
    pub fn with_guards(self, config: GuardConfig) -> Self {
        Self { guards: Guards::new(config, self.by_name.keys()), ..self }
    }

    /// Sets how long the gateway tries to send an event that it can build again, such as one about a connection of a dead node, and how many ends of
    /// channels wait, and how long, until a service wants them.
    #[must_use]
    pub fn with_event_limits(self, limits: LifecycleLimits) -> Self {
        Self { event_limits: limits, unrequested: Mutex::new(LifecycleQueue::new(limits)), ..self }
    }

    /// Whether the settings name this service.
    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Whether instances of this service may open links. The error says why not.
    pub fn accepts_links(&self, name: &str) -> Result<(), Refusal> {
        self.links_of(name).map(|_| ())
    }

    /// Whether any service wants events of this kind. Once an instance has asked for them, its service wants them: an instance that left is
    /// expected to return.
    pub fn wants(&self, kind: LifecycleKind) -> bool {
        self.interests.load(Relaxed) & Interests::only(kind).bits() != 0
    }

    /// Sends an event to the services that want it. If one of them does not take it now, it waits in the queue of that service. If the queue is full,
    /// the event is dropped and counted.
    pub fn send_lifecycle(&self, event: &Lifecycle) {
        if self.wants(event.kind()) {
            self.count_dropped(self.offer(event, CreditUse::All));
        }
    }

    /// Sends waiting events over links as their instances get credit. Never returns.
    pub(super) async fn send_waiting_events(&self) {
        let directly = self.by_name.values().filter(|service| service.queue.is_none());
        let each = directly.filter_map(|service| Some((service, service.links()?)));
        join_all(each.map(async |(service, links)| {
            loop {
                service.outlet.arrived().await;
                while !service.outlet.flush(links, self.now()) {
                    // The event expires without credit, too.
                    let _ = timeout(CREDIT_PAUSE, service.outlet.granted()).await;
                }
            }
        }))
        .await;
    }

    pub(super) fn offer(&self, event: &Lifecycle, credit_use: CreditUse) -> OfferCounts {
        let each = self.by_name.values().filter_map(|service| service.offer(event, credit_use, self.now()));
        each.fold(OfferCounts::default(), OfferCounts::and)
    }

    /// Offers an event to the services that are not among `takers`, and adds those that take it.
    pub(super) fn offer_to_others(&self, event: &Lifecycle, credit_use: CreditUse, takers: &mut Vec<ServiceName>) -> OfferCounts {
        let mut counts = OfferCounts::default();
        for service in self.by_name.values() {
            if !takers.contains(&service.name)
                && let Some(offered) = service.offer(event, credit_use, self.now())
            {
                counts = counts.and(offered);
                if matches!(offered, Offered::Sent | Offered::Waiting) {
                    takers.push(service.name.clone());
                }
            }
        }
        counts
    }

    pub(super) fn count_dropped(&self, counts: OfferCounts) {
        self.counters.add_many(Count::LifecycleQueueFull, counts.queue_full);
        self.counters.add_many(Count::LifecycleNoCredit, counts.no_credit);
        self.counters.add_many(Count::LifecycleNoInstance, counts.no_instance);
    }

    /// Every service, with its instances or targets.
    pub fn summary(&self) -> Vec<ServiceSummary> {
        let now = self.now();
        let each = |s: &Arc<Service>| ServiceSummary {
            service: s.name.clone(),
            waiting: s.order_queues().waiting(),
            reached: match &s.carrier {
                Carrier::Links(links) => Reached::ByLinks(links.lock().summary(now)),
                Carrier::Webhook(webhook) => Reached::ByWebhook(webhook.summary()),
                Carrier::Queue(_) => Reached::ByQueue,
            },
            queue: s.queue.as_ref().map(|queue| queue.config.deliver),
        };
        self.by_name.values().map(each).collect()
    }

    /// The target at this place in the settings of this node, beginning with 0, by its name for [`Self::drain_part`].
    pub fn target(&self, service: &ServiceName, place: usize) -> Result<DrainPart, Refusal> {
        let Carrier::Webhook(webhook) = &self.service(service.as_str())?.carrier else { return Err(has_no_targets(service)) };
        webhook.target_name(place).map(DrainPart::Target).ok_or_else(|| {
            let detail = format!("{service} has no target {place}. GET /v1/services lists the targets; the first one is 0.");
            Refusal::new(ErrorCode::NotFound, detail)
        })
    }

    /// Carries out an order about an instance or a target on this node. Returns whether it counts here: [`DrainAction`] says when this node has the part;
    /// an instance of a known service can be drained anyway.
    pub fn drain_part(&self, order: &DrainOrder) -> Result<bool, Refusal> {
        let service = self.service(&order.service)?;
        match (&service.carrier, &order.part) {
            (Carrier::Links(links), DrainPart::Instance(name)) => Ok(match order.action {
                DrainAction::Find => links.lock().has_instance(name),
                DrainAction::Drain => {
                    let forgotten = links.lock().drain_instance(name);
                    if let Some(forgotten) = forgotten {
                        tracing::warn!(service = %service.name, instance = %forgotten, "too many instances are drained, so this one, which has no link, is forgotten: it gets calls when it opens a link");
                    }
                    true
                }
                DrainAction::Undrain => links.lock().undrain_instance(name),
            }),
            (Carrier::Webhook(webhook), DrainPart::Target(name)) => Ok(webhook.drain_target(name, order.action)),
            (Carrier::Links(_), DrainPart::Target(_)) => Err(has_no_targets(&service.name)),
            (Carrier::Queue(_), _) => {
                let detail = format!("{} has a queue, and neither instances nor targets.", service.name);
                Err(Refusal::new(ErrorCode::NotFound, detail))
            }
            (Carrier::Webhook(_), DrainPart::Instance(_)) => {
                let detail = format!("{} has a webhook and no instances. Drain one of its targets.", service.name);
                Err(Refusal::new(ErrorCode::NotFound, detail))
            }
        }
    }

    /// Carries out the orders to drain that other nodes pass on. Ends at once if the node is alone, and otherwise never.
    pub async fn follow_drain_orders(&self, cluster: &Cluster) {
        let Some(mut orders) = cluster.drain_orders() else { return };
        while let Some((order, done)) = orders.recv().await {
            // The settings of the other node may name a service that this one does not have. The other node may have stopped waiting.
            let _ = done.send(self.drain_part(&order).unwrap_or(false));
        }
    }

    /// Limits of links to this node.
    pub fn link_limits(&self) -> &LinkLimits {
        &self.links
    }

    /// The counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Announces on every link that this node will leave. Calls continue. Other nodes take over its partitions of queues, if they can deliver.
    pub fn drain(&self) {
        if let Some(queueing) = &self.queueing {
            queueing.leaving.cancel();
        }
        self.links().for_each(|links| links.lock().send_drain());
    }

    /// Writes the queued frames of each link and closes it. Calls in flight fail. Waits until each peer has closed its side and webhooks have their
    /// events, at most [`LinkLimits::close_timeout`]. This is the last step of a drain.
    pub async fn close(&self) {
        if let Some(queueing) = &self.queueing {
            queueing.end_deliveries(self.links.close_timeout).await;
        }
        self.closing.cancel();
        self.open.close();
        self.open.wait().await;
        if let Some(queueing) = &self.queueing {
            queueing.end_of_ownership.cancel();
        }
    }

    pub(super) fn service(&self, name: &str) -> Result<&Arc<Service>, Refusal> {
        self.by_name.get(name).ok_or_else(|| {
            let detail = format!("No service is named \"{name}\". Add [services.{name}] to the settings, then start an instance.");
            Refusal::new(ErrorCode::NoService, detail)
        })
    }

    pub(super) fn links_of(&self, name: &str) -> Result<&Links, Refusal> {
        self.service(name)?.links().ok_or_else(|| {
            let detail = format!("{name} has a webhook or a queue, and no links. Open no link, or set services.{name}.reach to \"link\".");
            Refusal::new(ErrorCode::BadRequest, detail)
        })
    }

    pub(super) fn unrequested(&self) -> MutexGuard<'_, LifecycleQueue> {
        lock(&self.unrequested)
    }

    fn links(&self) -> impl Iterator<Item = &Links> {
        self.by_name.values().filter_map(|service| service.links())
    }

    pub(super) fn now(&self) -> Tick {
        Tick(self.start.elapsed().as_millis() as u64)
    }

    pub(super) fn refresh_interests(&self) {
        let all = self.by_name.values().fold(Interests::default(), |all, service| all.union(service.interests()));
        self.interests.store(all.bits(), Relaxed);
        self.wanted.send_if_modified(|wanted| std::mem::replace(wanted, all) != all);
    }
}

fn has_no_targets(service: &ServiceName) -> Refusal {
    Refusal::new(ErrorCode::NotFound, format!("{service} has links and no targets. Drain one of its instances."))
}
