//! Authentication: tokens and origins of frontends, keys of services, and the proxies that tell who a client is. Permissions in channels are in `gateway_core::channel`.

mod api_keys;
mod claims;
mod origins;
mod proxies;
mod signatures;
mod tokens;

pub use api_keys::{ApiKeyName, ApiKeys};
pub use claims::{ConnectionClaims, SubscriptionClaims, TokenError, VerifiedToken};
pub use origins::Origins;
pub use proxies::{Client, ProxyHeaders, TrustedProxies};
#[cfg(test)]
pub(crate) use signatures::sign_json;
pub use tokens::{NoSigningKey, Tokens, token_digest};
