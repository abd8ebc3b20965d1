//! The address of Redis: the checked value of `redis.url` and the settings for TLS and sentinels. Nothing here connects.
//!
//! - [`place`], [`peer`]: the result; [`url`]: the parts of one URL; [`tls`]: certificates; [`checked`]: the check of all settings

mod checked;
mod peer;
mod place;
mod tls;
mod url;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use peer::Peer;
pub use place::Address;
pub(crate) use place::Site;
