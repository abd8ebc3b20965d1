//! Typed settings, read and checked before any socket is bound. `server/wiring` turns them into the configuration of each part.
//!
//! Four layers, in ascending priority: `config/default.toml`, a file, variables `GATEWAY__SECTION__KEY`, flags.
//!
//! - [`settings`]: all settings; [`sections`], [`choices`]: each setting; [`value`], [`redis_url`]: their notation
//! - [`load`]: loads settings; [`layers`], [`reader`], [`check`]: its steps; [`problem`]: what is wrong
//! - [`channels`]: the options of channels

mod channels;
mod check;
mod choices;
mod layers;
mod load;
mod problem;
mod reader;
mod redis_url;
mod sections;
mod settings;
mod value;

#[cfg(test)]
mod tests;

pub use choices::{BrokerKind, CallOrder, Grant, LogFormat, Reach, SlowConsumer};
pub use layers::{DEFAULTS, Layers};
pub use problem::{Problem, Problems};
pub use redis_url::RedisUrl;
pub use sections::{
    ApiKey, Broker, Channel, Cluster, Connection, Demo, Drain, FanOut, History, Idempotency, Internal, Link, Node, Personal, Presence,
    Public, Publish, Recovery, Redis, Service, Subscriptions, Telemetry, Tokens,
};
pub use settings::Settings;
pub use value::{ByteSize, parse_duration, show_duration};
