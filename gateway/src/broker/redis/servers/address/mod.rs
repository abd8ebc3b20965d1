//! Where Redis is: what `redis.url`, and the settings about TLS and sentinels beside it, say once they are checked. Nothing here connects.
//!
//! - [`place`], [`peer`]: the result; [`url`]: one URL in its parts; [`tls`]: certificates; [`checked`]: the settings as a whole

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
