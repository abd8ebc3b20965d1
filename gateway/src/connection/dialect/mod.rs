//! The protocol that a connection speaks.
//!
//! - [`dialect`]: the protocol and its state; [`stomp_steps`]: what a STOMP connection's translator wants done

#[expect(clippy::module_inception, reason = "the folder is about protocols, the file about the one of a connection")]
mod dialect;
mod stomp_steps;

pub use dialect::ChosenProtocol;
pub(super) use dialect::Dialect;
