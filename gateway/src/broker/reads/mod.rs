//! Reads of histories and presence that the workers and clients of a node share. The broker reads; this folder decides which callers share a read.
//!
//! - [`shared_reads`]: reads of a channel's history; [`presence_reads`]: who is in a channel; [`shared_questions`]: one answer for several callers

mod presence_reads;
mod shared_questions;
mod shared_reads;

pub use presence_reads::{PresenceLimits, PresenceReads};
pub use shared_reads::Reads;
