//! JSON Web Tokens of frontends (RFC 7519): which issuers are known, by which keys they sign, and what their tokens say.

mod claims;
mod issuer;
mod key_set;
mod key_source;
mod logout;
mod report;
mod signatures;
#[cfg(test)]
pub(crate) mod test_keys;
mod token_key;
mod tokens;

pub use claims::{ConnectionClaims, SubscriptionClaims, TokenError, VerifiedToken};
pub use key_set::{NoKeys, SkippedKey};
pub use key_source::{FetchFailure, FetchResult, KeySource};
pub use logout::{LogoutError, LogoutToken};
pub use report::TokenReport;
#[cfg(test)]
pub(crate) use signatures::sign_json;
pub use tokens::{NoSigningKey, Tokens, token_digest};
