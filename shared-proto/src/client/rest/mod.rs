//! The typed client of the gateway's REST interface.

mod answer;
mod config;
mod gateway;
mod request;
#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError};
pub use gateway::Gateway;
pub use request::{HistoryQuery, Order, Publishing};
