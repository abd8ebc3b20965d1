//! The types of settings, and how each is read and shown.
//!
//! - [`value`]: numbers, sizes, durations, lists, secrets; [`choices`]: settings with a few named values; [`redis_url`]: the address of Redis

pub(super) mod choices;
pub(super) mod redis_url;
pub(super) mod value;
