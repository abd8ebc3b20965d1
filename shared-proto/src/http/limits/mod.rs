//! Limits of the connections of a listener.
//!
//! - [`accept_rate`]: connections per second
//! - [`places`]: how many connections each client has
//! - [`turns`]: how many turns of connections that cause much work come between two turns of others

mod accept_rate;
mod places;
mod turns;

pub use accept_rate::AcceptRate;
pub(super) use places::Place;
pub use places::{ClientPlaces, Places};
pub use turns::{Ticket, TurnKind, Turns};
