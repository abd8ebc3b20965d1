//! Keys of an issuer that are fetched from a URL.
//!
//! - [`key_cache`]: which keys count, and when they are fetched, without I/O; [`key_source`]: shares that between connections and the task that fetches

mod key_cache;
mod key_source;

pub(super) use key_cache::KeyTimes;
pub use key_source::{FetchFailure, FetchResult, KeySource};
