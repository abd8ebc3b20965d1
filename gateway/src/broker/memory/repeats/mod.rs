//! Recognises repeated publishes.
//!
//! - [`repeats`]: the interface; [`idempotency`]: by idempotency keys; [`producers`]: by the numbers of producers

mod idempotency;
mod producers;
#[expect(clippy::module_inception, reason = "the interface of the folder")]
mod repeats;

pub(super) use repeats::{Identity, Repeats};
