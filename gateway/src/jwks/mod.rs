//! Fetches the keys of issuers (`jwks_url`), and hands them to `auth`, which decides what they mean.
//!
//! - [`fetcher`]: fetches the keys of one issuer; [`fetchers`]: those of all issuers

mod fetcher;
mod fetchers;

pub use fetchers::Fetchers;
