//! The keys of services: what each may do, how the settings write it, and how a request is matched with its key.
//!
//! - [`scopes`]: what a key may do; [`api_key`]: a key as requests use it
//! - [`api_keys`]: all keys, and the one of a request; [`current`]: those in force, and the keys of open links
//! - [`entry`]: an entry of the settings, checked; [`proof`]: what a caller shows to use a key
//! - [`certificate`]: the names of a certificate, which can stand for a key; [`new_key`]: makes a key

mod api_key;
mod api_keys;
mod certificate;
mod current;
mod entry;
mod new_key;
mod proof;
mod scopes;
#[cfg(test)]
mod tests;

pub use api_key::ApiKey;
pub use api_keys::ApiKeys;
pub use current::{CurrentKeys, HeldKey};
pub use new_key::NewKey;
pub use scopes::Scope;
