//! The tables of the keys of services.

use crate::settings::{
    reader::section,
    types::value::{ScopeList, Setting as _},
};
use secrecy::SecretString;

section! {
    /// `[[api_keys]]`: keys of services.
    ApiKey {
        /// Name of the key in logs and metrics. Several keys may have it.
        name: String,
        /// The key, sent as `Authorization: Bearer`. Empty: the hash is set.
        key: SecretString,
        /// The SHA-256 of the key. Empty: the key is set.
        key_hash: SecretString,
        /// A name in the certificate of a client, which stands for the key. Empty: there is a key or a hash.
        certificate: String,
        /// What the key may do.
        scopes: ScopeList,
    }
}

impl ApiKey {
    /// A table without keys.
    pub(in crate::settings) fn empty() -> Self {
        Self {
            name: String::new(),
            key: SecretString::default(),
            key_hash: SecretString::default(),
            certificate: String::new(),
            scopes: ScopeList(None),
        }
    }

    /// The name and the scopes, as the settings show them.
    pub(in crate::settings) fn summary(&self) -> String {
        let may = if self.scopes.0.is_some() { self.scopes.show() } else { "everything".into() };
        format!("{:?}, which may do {may}", self.name)
    }
}
