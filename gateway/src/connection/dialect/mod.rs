//! The protocol that a connection speaks.
//!
//! - [`dialect`]: the protocol and its state; [`event_source`]: that of an event stream; [`deferred`], [`run_deferred`]: commands of
//!   translators that wait
//! - [`stomp_steps`], [`event_source_steps`]: what the translators of STOMP connections and of event streams want done

mod deferred;
#[expect(clippy::module_inception, reason = "the folder is about protocols, the file about the one of a connection")]
mod dialect;
mod event_source;
mod event_source_steps;
mod run_deferred;
mod stomp_steps;

pub use dialect::ChosenProtocol;
pub(super) use dialect::Dialect;
