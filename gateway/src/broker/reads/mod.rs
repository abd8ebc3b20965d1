//! Reads of histories that the workers and clients of a node share. The broker itself reads; this folder decides who waits for which read.
//!
//! - [`shared_reads`]: reads of a channel's history; [`flights`]: one answer for all who ask the same

mod flights;
mod shared_reads;

pub use shared_reads::Reads;
