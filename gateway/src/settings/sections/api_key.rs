//! The tables of the keys of services.

use crate::settings::{
    reader::{Reader, section},
    types::value::{ScopeList, Setting as _},
};
use secrecy::{ExposeSecret as _, SecretString};

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
    /// The setting that lists the keys, or names the file with the list.
    pub(in crate::settings) const LIST: &str = "api_keys";
    /// What the hash of a key begins with, where a key could stand.
    pub const HASHED: &str = "sha256:";

    /// Reads all keys: a list of tables, or the text of a variable or a file.
    pub(in crate::settings) fn read_all(reader: &mut Reader<'_>) -> Option<Vec<Self>> {
        let keys = reader.list(Self::LIST, Some(&Self::empty()), Some("scopes"))?;
        Some(keys.into_iter().map(Self::with_hash).collect())
    }

    /// A hash in place of the key counts as the hash: variables and files have one place for both. Otherwise the hash itself would open.
    fn with_hash(mut self) -> Self {
        if self.key_hash.expose_secret().is_empty() && self.key.expose_secret().starts_with(Self::HASHED) {
            std::mem::swap(&mut self.key, &mut self.key_hash);
        }
        self
    }

    /// A table without keys.
    fn empty() -> Self {
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
