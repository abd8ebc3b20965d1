//! Configuration of services and of their links.

use super::{
    instances::breaker::BreakerLimits,
    lifecycle::{
        kinds::{Interests, LifecycleKind},
        queue::LifecycleLimits,
    },
    queued::config::QueueConfig,
    routes::route::Route,
    webhook::config::WebhookConfig,
};
use crate::settings::{self, Problems, RoutedService, Settings};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The way in which the gateway reaches a service.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Over the links that its instances keep open to the nodes.
    Link,
    /// By HTTP requests.
    Webhook(Arc<WebhookConfig>),
    /// Not at all: a program of the service reads the queue of its events.
    Queue,
}

/// Configuration of one service.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// How it is reached.
    pub reach: Reach,
    /// The route of its events, and of all methods that have none of their own.
    pub route: Route,
    /// The routes of methods.
    pub methods: BTreeMap<Box<str>, Route>,
    /// Maximum number of calls of one key that wait for an earlier call.
    pub order_queue: usize,
    /// Limit of instances with links to this node, and half the limit of instances that an operator drains.
    pub instances: usize,
    /// Limits of the circuit breaker.
    pub breaker: BreakerLimits,
    /// The lifecycle events that a webhook or a queue gets. Instances with links name theirs, too.
    pub lifecycle_events: Interests,
    /// The queue of its events. None: they are sent at once, or lost.
    pub queue: Option<QueueConfig>,
    /// Limits of lifecycle events.
    pub lifecycle: LifecycleLimits,
}

impl ServiceConfig {
    /// Checks the settings of the service `name`, and reads the files that they name.
    pub fn new(name: &str, settings: &Settings, service: &RoutedService) -> Result<Self, Problems> {
        let RoutedService { service: carrier, route, methods } = service;
        let mut problems = Problems::default();
        let mut checked = |key: String, route| {
            Route::new(&key, route).unwrap_or_else(|found| {
                problems.append(found);
                Route::default()
            })
        };
        let key = format!("services.{name}");
        let of_method = |(method, route): (&String, _)| (method.as_str().into(), checked(format!("{key}.methods.{method}"), route));
        let methods = methods.iter().map(of_method).collect();
        let route = checked(key, route);
        let reach = match carrier.reach {
            settings::Reach::Webhook => WebhookConfig::new(name, settings, service).map(|webhook| Reach::Webhook(Arc::new(webhook))),
            settings::Reach::Link => Ok(Reach::Link),
            settings::Reach::Queue => Ok(Reach::Queue),
        };
        let reach = reach.unwrap_or_else(|found| {
            problems.append(found);
            Reach::Link
        });
        let lifecycle_events = Interests::parse(&carrier.lifecycle_events).unwrap_or_else(|found| {
            let message = format!("expected some of {}; found {found:?}", LifecycleKind::names());
            problems.add(format!("services.{name}.lifecycle_events"), message);
            Interests::default()
        });
        problems.into_result(Self {
            reach,
            route,
            methods,
            order_queue: carrier.order_queue,
            instances: settings.link.max_links,
            breaker: BreakerLimits { failures: carrier.breaker_failures, open_for: carrier.breaker_pause },
            lifecycle_events,
            queue: QueueConfig::new(service),
            lifecycle: (&settings.lifecycle).into(),
        })
    }
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            reach: Reach::Link,
            route: Route::default(),
            methods: BTreeMap::new(),
            order_queue: 32,
            instances: 64,
            breaker: BreakerLimits::default(),
            lifecycle_events: Interests::default(),
            queue: None,
            lifecycle: LifecycleLimits::default(),
        }
    }
}

/// Limits of a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkLimits {
    /// Largest message, in bytes.
    pub message_size: usize,
    /// Largest reply to a call, in bytes.
    pub reply_size: usize,
    /// Maximum number of unacknowledged publications, at least 1.
    pub publishes_in_flight: u32,
    /// Time without a frame after which the node sends a ping. After twice that time it closes the link.
    pub heartbeat: Duration,
    /// Time limit for the first frame.
    pub hello_timeout: Duration,
    /// Maximum number of frames that wait to be written, at least 1.
    pub queue: usize,
    /// Time limit for writing the last frames of a link that is closing.
    pub close_timeout: Duration,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            message_size: 256 << 10,
            reply_size: 64 << 10,
            publishes_in_flight: 256,
            heartbeat: Duration::from_secs(10),
            hello_timeout: Duration::from_secs(5),
            queue: 1024,
            close_timeout: Duration::from_secs(1),
        }
    }
}
