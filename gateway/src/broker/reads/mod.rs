//! Reads of histories that the workers and clients of a node share. The broker reads; this folder decides which callers share a read.
//!
//! - [`shared_reads`]: reads of a channel's history; [`shared_questions`]: one answer for several callers

mod shared_questions;
mod shared_reads;

pub use shared_reads::Reads;
