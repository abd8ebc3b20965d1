//! The rules that are the same for all STOMP connections: settings, destinations, and what bodies become.

pub(super) mod body;
mod config;
mod destination;
mod table;
#[cfg(test)]
mod tests;

pub use config::{StompConfig, TransactionLimits, UnknownDestination};
pub use destination::{AfterRefusal, CallTarget, DestinationRule, InvalidRule, Target};
pub(super) use destination::{Call, Destination};
pub use table::{DestinationTable, InvalidTable};
pub(super) use table::{Unresolved, Use};
