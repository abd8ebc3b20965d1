//! The protocol that a connection speaks.
//!
//! - [`dialect`]: the protocol and its state; [`deferred`]: commands of translators that wait
//! - [`stomp_steps`], [`event_source_steps`]: what the translators of STOMP connections and of event streams want done

mod deferred;
#[expect(clippy::module_inception, reason = "the folder is about protocols, the file about the one of a connection")]
mod dialect;
mod event_source_steps;
mod stomp_steps;

pub use dialect::ChosenProtocol;
pub(super) use dialect::Dialect;
