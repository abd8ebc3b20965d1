//! Limits of the connections of a listener.
//!
//! - [`accept_rate`]: connections per second
//! - [`places`]: how many connections each client has

mod accept_rate;
mod places;

pub use accept_rate::AcceptRate;
pub(super) use places::Place;
pub use places::{ClientPlaces, Places};
