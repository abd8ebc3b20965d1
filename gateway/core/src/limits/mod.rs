//! How much a peer may ask for in a time. Nothing here knows what it asks for: the callers say what it costs.
//!
//! | module | what |
//! |---|---|
//! | `rate`, `meter` | so much per second and a burst, and how much of it one peer has used |
//! | `traffic` | the rates and meters for what a peer sends |
//! | `client_network` | the part of an address that belongs to one client |
//! | `table`, `users`, `addresses` | the meters of many peers: of all users of a node, and of all addresses |
//! | `limit` | the names of all limits, for the metrics |

mod addresses;
mod client_network;
mod limit;
mod meter;
mod rate;
mod table;
#[cfg(test)]
mod tests;
mod traffic;
mod users;

pub use addresses::AddressRates;
pub use client_network::ClientNetwork;
pub use limit::Limit;
pub use meter::{Level, Meter};
pub use rate::Rate;
pub use table::{PeerKey, PeerMeters, PeerTable};
pub use traffic::{Resource, TrafficMeters, TrafficRates, Verdict};
pub use users::UserRates;
