//! Recognises repeated publishes.
//!
//! - [`repeats`]: the interface; [`idempotency`]: by idempotency keys; [`producers`]: by the numbers of producers; [`last_entries`]: by entries of ingest

mod idempotency;
mod last_entries;
mod producers;
#[expect(clippy::module_inception, reason = "the interface of the folder")]
mod repeats;

pub(super) use repeats::{Identity, Repeats};
