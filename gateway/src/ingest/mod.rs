//! Ingest: publishes what services put into streams.
//!
//! - [`ingest`](mod@ingest): from the start of the node to its end
//! - [`run`](mod@run): the task for a partition; [`ownership_work`]: what its owner does, from the begin of an ownership to the end; [`requests`]: what it asks
//!   of the store and of the publisher
//! - [`chains`]: which entry is published next; [`entry`]: from the fields of an entry to a publication; [`problem`]: why an entry becomes a dead letter
//! - [`config`]: the settings; [`stats`]: counters

mod chains;
mod config;
mod entry;
#[expect(clippy::module_inception, reason = "the interface of the folder")]
mod ingest;
mod ownership_work;
mod problem;
mod requests;
mod run;
mod stats;

pub use config::{IngestConfig, Patterns};
pub use ingest::Ingest;
pub use stats::{IngestCount, IngestStats};
