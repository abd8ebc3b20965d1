//! The tables `[services.X]` and `[services.X.methods.Y]`.

use super::{
    reader::{Reader, Section, section},
    sections::Service,
    types::choices::{Callers, Deliver, Events, Reach},
    types::value::{OrderedBy, Pointer, SecretList, SecretMap, UrlList},
};
use std::{collections::BTreeMap, time::Duration};

section! {
    /// Calls of a service, or of one of its methods.
    Route {
        /// Longest time for the answer to a call.
        call_timeout: Duration = Duration::from_millis(10)..=Duration::from_mins(10),
        /// Limit of calls in flight at this node.
        max_in_flight: usize = 1..=1_000_000,
        /// Limit of calls of one connection that wait or are in flight.
        in_flight_per_connection: usize = 1..=1_000_000,
        /// Limit of calls of one user that wait or are in flight at this node.
        in_flight_per_user: usize = 1..=1_000_000,
        /// Which calls keep their order.
        order: OrderedBy,
        /// Who may call.
        callers: Callers,
        /// Headers of the frontend's HTTP request that the service gets.
        forward_headers: Vec<String>,
        /// Headers of the frontend's connect command that the service gets.
        forward_emulated_headers: Vec<String>,
        /// Whether the service gets the frontend's address.
        forward_address: bool,
        /// Where the data of a call has its idempotency key.
        idempotency: Pointer,
        /// Whether a call gets the reply of the service. Otherwise it is answered once its event is stored.
        reply: bool,
        /// How long an event may wait in its queue. Zero: for ever.
        expires_after: Duration = Duration::ZERO..=Duration::from_hours(30 * 24),
    }
}

/// A service with the routes of its calls.
#[derive(Clone, Debug)]
pub struct RoutedService {
    /// How the service is reached.
    pub service: Service,
    /// The route of all methods that have none of their own.
    pub route: Route,
    /// The routes of methods, by the method's name.
    pub methods: BTreeMap<String, Route>,
}

const METHODS: &str = "methods";
const KEY_COUNT: usize = Service::KEYS.len() + Route::KEYS.len() + 1;
const KEYS: [&str; KEY_COUNT] = {
    let mut keys = [METHODS; KEY_COUNT];
    let mut at = 0;
    while at < KEY_COUNT - 1 {
        keys[at] = if at < Service::KEYS.len() { Service::KEYS[at] } else { Route::KEYS[at - Service::KEYS.len()] };
        at += 1;
    }
    keys
};

impl Section for RoutedService {
    const KEYS: &'static [&'static str] = &KEYS;

    fn read(reader: &mut Reader<'_>, fallback: Option<&Self>) -> Option<Self> {
        let [events, deliver, reply] = ["events", "deliver", "reply"].map(|key| reader.is_set(key));
        let mut service = Service::read(reader, fallback.map(|fallback| &fallback.service));
        let mut route = Route::read(reader, fallback.map(|fallback| &fallback.route));
        if let (Some(service), Some(route)) = (&mut service, &mut route)
            && service.reach == Reach::Queue
        {
            let mut contradiction = |key, found| {
                let message =
                    format!("with reach = \"queue\" expected {}; found {found}: leave it out, or choose another reach", found_instead(key));
                reader.problem(key, message);
            };
            if events && service.events != Events::Queue {
                contradiction("events", "\"direct\"");
            }
            if deliver && service.deliver != Deliver::Stream {
                contradiction("deliver", "\"reach\"");
            }
            if reply && route.reply {
                contradiction("reply", "true");
            }
            (service.events, service.deliver, route.reply) = (Events::Queue, Deliver::Stream, false);
        }
        let methods = reader.sections(METHODS, route.as_ref().or(fallback.map(|fallback| &fallback.route))?);
        Some(Self { service: service?, route: route?, methods: methods? })
    }

    fn show(&self, prefix: &str, lines: &mut Vec<String>) {
        self.service.show(prefix, lines);
        self.route.show(prefix, lines);
        self.methods.iter().for_each(|(name, route)| route.show(&format!("{prefix}{METHODS}.{name}."), lines));
    }

    #[cfg(test)]
    fn ranges() -> Vec<(&'static str, String)> {
        Service::ranges().into_iter().chain(Route::ranges()).collect()
    }

    #[cfg(test)]
    fn secrets() -> Vec<&'static str> {
        Service::secrets().into_iter().chain(Route::secrets()).collect()
    }
}

/// What a service with reach = "queue" has.
fn found_instead(key: &str) -> &'static str {
    match key {
        "events" => "\"queue\"",
        "deliver" => "\"stream\"",
        _ => "false",
    }
}

impl RoutedService {
    /// Defaults of a service.
    pub(super) const DEFAULT: Self = Self {
        service: Service {
            reach: Reach::Link,
            urls: UrlList(Vec::new()),
            secrets: SecretList(Vec::new()),
            headers: SecretMap(Vec::new()),
            ca_file: String::new(),
            cert_file: String::new(),
            key_file: String::new(),
            order_queue: 32,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(5),
            lifecycle_events: Vec::new(),
            events: Events::Direct,
            deliver: Deliver::Reach,
            partitions: 4,
            tries: 10,
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_mins(5),
            visibility: Duration::from_secs(30),
        },
        route: Route {
            call_timeout: Duration::from_secs(10),
            max_in_flight: 1024,
            in_flight_per_connection: 32,
            in_flight_per_user: 256,
            order: OrderedBy::Connection,
            callers: Callers::Anyone,
            forward_headers: Vec::new(),
            forward_emulated_headers: Vec::new(),
            forward_address: false,
            idempotency: Pointer(None),
            reply: true,
            expires_after: Duration::ZERO,
        },
        methods: BTreeMap::new(),
    };
}
