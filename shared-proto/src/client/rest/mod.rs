//! The gateway's REST interface, typed, over several nodes.

mod answer;
mod config;
mod gateway;
mod request;
#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError};
pub use gateway::Gateway;
pub use request::{HistoryQuery, Order, Publishing};
