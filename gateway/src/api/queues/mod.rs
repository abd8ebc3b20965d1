//! Queues and their dead letters. The queue of a service and ingest have the same requests, under different paths.
//!
//! - [`services`], [`ingest`]: the handlers of both; [`requests`]: what they have in common; [`answers`]: the bodies of answers

mod answers;
pub(super) mod ingest;
mod requests;
pub(super) mod services;
