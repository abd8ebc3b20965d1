//! Typed settings, which the gateway reads and checks before it binds a socket. `server/wiring` turns them into the configuration of each
//! part.
//!
//! There are four layers, in ascending priority: `config/default.toml`, a file, variables such as `GATEWAY__SECTION__KEY`, and flags.
//!
//! - [`settings`]: all settings as one value; [`sections`]: the tables; [`routes`]: those of services
//! - [`stomp`]: those of STOMP connections
//! - [`types`]: the types of settings and their notation
//! - [`key_sources`]: reads the API keys again
//! - [`load`]: merges the layers of the [`program`] and reads them with [`reader`] and [`check`]
//! - [`channels`]: converts settings to the options of channels

mod channels;
mod check;
mod key_sources;
mod load;
mod program;
mod reader;
mod routes;
mod sections;
mod settings;
mod stomp;
mod types;

#[cfg(test)]
mod tests;

pub use check::{NAME_BYTES, is_plain_name};
pub use key_sources::KeySources;
pub use program::{DEFAULTS, PROGRAM};
pub use routes::{Route, RoutedService};
pub use sections::{
    ApiKey, Broker, Channel, Cluster, Connect, Connection, Demo, Drain, FanOut, Guards, History, Idempotency, Ingest, Internal, Lifecycle,
    Limits, Link, Node, Personal, Presence, Public, Publish, Queues, Recovery, Redis, Service, Subscriptions, Telemetry, Tls, TlsPair,
    TokenIssuer, Tokens, Traffic, Webhook,
};
pub use settings::Settings;
pub use shared_proto::process::settings::{Layers, Problem, Problems};
pub use stomp::{Destination, DestinationHead, DestinationOptions, Stomp, StompLimits};
pub use types::choices::{
    AllowedData, BrokerKind, Callers, Deliver, Delta, DestinationKind, Events, Grant, Insecurity, LogFormat, NodeRole, OnExcess, Reach,
    Refused, SlowConsumer, TlsVersion, TokenCheck, UnknownDestination, Unrecoverable, WhenAway,
};
pub use types::redis_url::RedisUrl;
pub use types::value::{
    ByteSize, OrderedBy, Pointer, ScopeList, SecretList, SecretMap, ServiceRef, UrlList, parse_duration, show_duration,
};
