//! The address of Redis: the checked value of `redis.url` and the settings for TLS and sentinels. Nothing here connects.
//!
//! - [`address`], [`peer`]: the result; [`url`]: the parts of one URL; [`tls`]: certificates; [`checked`]: the check of all settings

mod address;
mod checked;
mod peer;
mod tls;
mod url;

#[cfg(test)]
pub(crate) mod tests;

pub use address::Address;
pub(crate) use address::ServerAddress;
pub(crate) use peer::Peer;
