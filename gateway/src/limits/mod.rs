//! What services, the clients of one address, and users on all nodes may ask for. `gateway_core::limits` has the meters, and what connections and users may send.
//!
//! - [`addresses`]: connections, upgrades and wrong tokens of each address
//! - [`user_connections`]: open connections of a user on all nodes
//! - [`key_rates`]: requests with each API key

mod addresses;
mod key_rates;
mod user_connections;

pub use addresses::{AddressLimits, AddressPlace, Addresses, IsProxy};
pub use key_rates::KeyRates;
pub use user_connections::UserConnections;
