//! Authentication: tokens and origins of frontends, the hosts that they address, keys of services, and the proxies that tell who a client is. Permissions in channels are in `gateway_core::channel`.

mod authority;
mod exposure;
mod hosts;
mod keys;
mod origins;
mod page;
mod proxies;
mod tokens;

pub use exposure::{check_exposure, exposure_warnings};
pub use hosts::Hosts;
pub use keys::{ApiKey, ApiKeys, CurrentKeys, HeldKey, NewKey, Scope};
pub use origins::Origins;
pub use page::RequestingPage;
pub use proxies::{Client, ProxyHeaders, TrustedProxies};
#[cfg(test)]
pub(crate) use tokens::sign_json;
pub use tokens::{
    ConnectionClaims, FetchFailure, FetchResult, KeySource, LogoutError, LogoutToken, NoKeys, NoSigningKey, SkippedKey, SubscriptionClaims,
    TokenError, TokenReport, Tokens, VerifiedToken, token_digest,
};
