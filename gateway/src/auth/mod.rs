//! Who may come in: frontends by token and origin, services by key.

mod api_keys;
mod claims;
mod origins;
mod tokens;

pub use api_keys::{ApiKeyName, ApiKeys};
pub use claims::{Accepted, ConnectionClaims, SubscriptionClaims, TokenError};
pub use origins::Origins;
pub use tokens::{NoSigningKey, Tokens};
