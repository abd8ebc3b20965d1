//! Delivers notifications from the outbox to the gateway: one delivery per target at a time, many targets concurrently.
//!
//! Storing notifications does not belong here; see [`crate::outbox`].

mod attempt;
mod breaker;
mod counts;
mod dispatcher;
mod history_watch;

pub use counts::Counts;
pub use dispatcher::Dispatcher;
pub use history_watch::HistoryWatch;
