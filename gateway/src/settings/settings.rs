//! All settings as one typed value.

#[cfg(test)]
use super::reader::keys_of;
use super::{
    reader::{Reader, Section as _},
    routes::RoutedService,
    sections::{
        ApiKey, Broker, Channel, Cluster, Connect, Connection, Demo, Drain, FanOut, Guards, History, Idempotency, Ingest, Internal,
        Lifecycle, Limits, Link, Node, Personal, Presence, Public, Publish, Queues, Recovery, Redis, Streams, Subscriptions, Telemetry,
        TokenIssuer, Tokens, Webhook,
    },
    stomp::Stomp,
    types::choices::{AllowedData, Delta, Grant, Insecurity, SlowConsumer, Unrecoverable, WhenAway},
    types::value::{ServiceRef, Setting as _},
};
use std::{collections::BTreeMap, time::Duration};

/// Declares [`Settings`] from the list of its tables.
macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        /// All settings. The path of a field is the key of the setting.
        #[derive(Clone, Debug)]
        pub struct Settings {
            /// Number of worker threads of the public listener. 0: one per core.
            pub workers: usize,
            /// What is accepted although it is insecure and open to others than this machine.
            pub allow_insecure: Vec<Insecurity>,
            /// Keys of the services. All of them are valid; several may have one name.
            pub api_keys: Vec<ApiKey>,
            /// The issuers of tokens: `[[tokens.issuers]]`.
            pub token_issuers: Vec<TokenIssuer>,
            /// The options of each namespace, by the namespace's name.
            pub namespaces: BTreeMap<String, Channel>,
            /// The settings of each service, by the service's name.
            pub services: BTreeMap<String, RoutedService>,
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Settings {
            pub(super) const KEYS: &'static [&'static str] = &["workers", "allow_insecure", "api_keys", "namespaces", "services", $(stringify!($field)),*];

            pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
                let workers = reader.take_within("workers", None, &(0..=gateway_core::model::WorkerId::MAX));
                let allow_insecure = reader.take("allow_insecure", None);
                let api_keys = reader.list("api_keys", Some(&ApiKey::empty()), Some("scopes"));
                let token_issuers = reader.inner_list("tokens", "issuers", &TokenIssuer::DEFAULT);
                let namespaces = reader.sections("namespaces", &Channel::DEFAULT);
                let services = reader.sections("services", &RoutedService::DEFAULT);
                $(let $field = reader.section(stringify!($field), None);)*
                Some(Self {
                    workers: workers?, allow_insecure: allow_insecure?, api_keys: api_keys?, token_issuers: token_issuers?,
                    namespaces: namespaces?, services: services?,
                    $($field: $field?,)*
                })
            }

            /// The settings in force, one per line, without secrets. The gateway logs them at the start.
            pub fn effective(&self) -> String {
                let mut lines = vec![format!("workers = {}", self.workers), format!("allow_insecure = {}", self.allow_insecure.show())];
                $(self.$field.show(concat!(stringify!($field), "."), &mut lines);)*
                lines.extend(self.api_keys.iter().map(|key| format!("api_keys: {}", key.summary())));
                self.token_issuers.iter().enumerate().for_each(|(at, issuer)| issuer.show(&format!("tokens.issuers[{at}]."), &mut lines));
                self.namespaces.iter().for_each(|(name, channel)| channel.show(&format!("namespaces.{name}."), &mut lines));
                self.services.iter().for_each(|(name, service)| service.show(&format!("services.{name}."), &mut lines));
                lines.join("\n")
            }

            /// The key and the allowed range of every setting whose table has a fixed name.
            #[cfg(test)]
            pub(super) fn documented() -> Vec<(String, Option<String>)> {
                let mut all = Vec::new();
                $(all.extend(keys_of::<$type>(stringify!($field)));)*
                all
            }

            /// The key of every secret setting.
            #[cfg(test)]
            pub(super) fn secrets() -> Vec<String> {
                let of = |table: &str, keys: Vec<&'static str>| keys.into_iter().map(move |key| format!("{table}.{key}")).collect::<Vec<_>>();
                let mut all = [of("api_keys.*", ApiKey::secrets()), of("services.*", RoutedService::secrets()), of("namespaces.*", Channel::secrets())].concat();
                $(all.extend(of(stringify!($field), <$type>::secrets()));)*
                all
            }
        }
    };
}

settings! {
    /// The name of this node.
    node: Node,
    /// The listener for frontends.
    public: Public,
    /// The listener for services and operators.
    internal: Internal,
    /// Connections of frontends.
    connection: Connection,
    /// What one peer may ask for.
    limits: Limits,
    /// HTTP responses in place of WebSockets.
    streams: Streams,
    /// Delivery from the broker to the subscribers.
    fan_out: FanOut,
    /// Reads of missed publications.
    recovery: Recovery,
    /// Tags of publications.
    publish: Publish,
    /// Limits of answers with history.
    history: History,
    /// Limits of answers with presence.
    presence: Presence,
    /// Subscriptions that services make for users.
    subscriptions: Subscriptions,
    /// Idempotency keys of publishes.
    idempotency: Idempotency,
    /// Where publications, histories and presence are kept.
    broker: Broker,
    /// The Redis broker.
    redis: Redis,
    /// The nodes that share a store.
    cluster: Cluster,
    /// Queues of events for services, and of publications from services.
    queues: Queues,
    /// Publications that services put into streams.
    ingest: Ingest,
    /// Tokens of frontends.
    tokens: Tokens,
    /// Who decides about connections.
    connect: Connect,
    /// Questions to the services that decide.
    guards: Guards,
    /// STOMP connections.
    stomp: Stomp,
    /// Channels without a namespace.
    channel_defaults: Channel,
    /// The personal channels `#user`.
    personal: Personal,
    /// The WebSockets of service instances.
    link: Link,
    /// Requests to services that are reached by HTTP.
    webhook: Webhook,
    /// Lifecycle events for services.
    lifecycle: Lifecycle,
    /// The demo page.
    demo: Demo,
    /// The end of the process.
    drain: Drain,
    /// Logs, traces and metrics.
    telemetry: Telemetry,
}

impl Channel {
    /// Defaults of a namespace.
    const DEFAULT: Self = Self {
        history_size: 0,
        history_ttl: Duration::from_hours(1),
        presence: false,
        join_leave: false,
        subscribe: Grant::Nobody,
        publish: Grant::Nobody,
        see_presence: Grant::Nobody,
        see_history: Grant::Nobody,
        data: AllowedData::Json,
        slow_consumer: SlowConsumer::Disconnect,
        delta: Delta::None,
        tags_filter: false,
        unrecoverable: Unrecoverable::Live,
        lifecycle: false,
        subscribe_via: ServiceRef(None),
        publish_via: ServiceRef(None),
        when_away: WhenAway::Refuse,
    };
}
