//! The tables `[services.X]` and `[services.X.methods.Y]`.

use super::{
    reader::{Reader, Section, section},
    sections::Service,
    types::choices::{Callers, Reach},
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
        let service = Service::read(reader, fallback.map(|fallback| &fallback.service));
        let route = Route::read(reader, fallback.map(|fallback| &fallback.route));
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
        },
        methods: BTreeMap::new(),
    };
}
