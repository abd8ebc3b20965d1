//! Checks the queues of services: what they need, and which of their settings exclude each other.

use super::super::{
    routes::{Route, RoutedService},
    sections::Service,
    settings::Settings,
    types::{
        choices::{BrokerKind, Deliver, Events, Reach},
        value::OrderedBy,
    },
};
use shared_proto::process::settings::Problems;

const NEEDS_QUEUE: &str = "only a service with events = \"queue\" has this setting";

/// Adds a problem for every rule about queues that the services break.
pub(super) fn check(settings: &Settings, problems: &mut Problems) {
    for (name, RoutedService { service, route, methods }) in &settings.services {
        let table = format!("services.{name}");
        match service.events {
            Events::Direct => of_direct(&table, service, problems),
            Events::Queue => of_queue(&table, service, settings.broker.kind, problems),
        }
        let of_methods = methods.iter().map(|(method, route)| (format!("{table}.methods.{method}"), route));
        for (table, route) in of_methods.chain([(table.clone(), route)]) {
            of_route(&table, service, route, problems);
        }
    }
}

/// A service without a queue has none of its settings.
fn of_direct(table: &str, service: &Service, problems: &mut Problems) {
    if service.deliver == Deliver::Stream {
        problems.add(format!("{table}.deliver"), "\"stream\" needs events = \"queue\"");
    }
    if service.reach == Reach::Link && !service.lifecycle_events.is_empty() {
        let message =
            "only a service with reach = \"webhook\" or events = \"queue\" has this setting; instances with links name theirs in hello";
        problems.add(format!("{table}.lifecycle_events"), message);
    }
    let default = &RoutedService::DEFAULT.service;
    let partitions = [("partitions", service.partitions != default.partitions)];
    for (key, _) in partitions.into_iter().chain(of_deliveries(service)).filter(|(_, is_set)| *is_set) {
        problems.add(format!("{table}.{key}"), NEEDS_QUEUE);
    }
}

fn of_queue(table: &str, service: &Service, broker: BrokerKind, problems: &mut Problems) {
    if service.deliver == Deliver::Stream {
        if broker == BrokerKind::Memory {
            let (key, value) = if service.reach == Reach::Queue { ("reach", "queue") } else { ("deliver", "stream") };
            let message = format!("\"{value}\" needs broker.kind = \"redis\", because no other program can read the memory of this one");
            problems.add(format!("{table}.{key}"), message);
        }
        for (key, _) in of_deliveries(service).into_iter().filter(|(_, is_set)| *is_set) {
            problems.add(
                format!("{table}.{key}"),
                "has no effect with deliver = \"stream\", because the gateways deliver nothing: leave it out",
            );
        }
        return;
    }
    if service.retry_min > service.retry_max {
        problems.add(format!("{table}.retry_min"), "must not be longer than retry_max");
    }
    if service.reach == Reach::Webhook && service.visibility != RoutedService::DEFAULT.service.visibility {
        let message = "has no effect on a webhook, which has call_timeout for its answer: set that, and leave this out";
        problems.add(format!("{table}.visibility"), message);
    }
}

/// The settings of deliveries, and whether they differ from their defaults.
fn of_deliveries(service: &Service) -> [(&'static str, bool); 4] {
    let default = &RoutedService::DEFAULT.service;
    [
        ("tries", service.tries != default.tries),
        ("retry_min", service.retry_min != default.retry_min),
        ("retry_max", service.retry_max != default.retry_max),
        ("visibility", service.visibility != default.visibility),
    ]
}

fn of_route(table: &str, service: &Service, route: &Route, problems: &mut Problems) {
    let mut needs_queue = |key: &str, message: &str| {
        if service.events == Events::Direct {
            problems.add(format!("{table}.{key}"), message);
        }
    };
    if !route.reply {
        needs_queue("reply", "false needs events = \"queue\", because a call without a reply is an event in the queue of the service");
    }
    if !route.expires_after.is_zero() {
        needs_queue("expires_after", NEEDS_QUEUE);
    }
    if service.reach == Reach::Queue && route.reply {
        problems.add(format!("{table}.reply"), "with reach = \"queue\" expected false; found true: nobody answers calls, so leave it out");
    }
    let is_event = !route.reply || service.reach == Reach::Queue;
    if is_event && route.idempotency.0.is_some() && route.order == OrderedBy::Connection {
        let message = "needs order = \"none\" or a member of the data: a repeat on another connection would go to another partition, which does not \
                       know the key";
        problems.add(format!("{table}.idempotency"), message);
    }
}
