//! All API keys, sent as `Authorization: Bearer` (RFC 6750).

use super::{
    api_key::ApiKey,
    certificate,
    entry::{Digest, Entry, Proof},
};
use crate::settings::{self, Problems};
use gateway_core::model::{ErrorCode, Refusal};
use sha2::{Digest as _, Sha256};
use std::{fmt, sync::Arc};
use subtle::ConstantTimeEq as _;

/// All accepted keys.
pub struct ApiKeys(Vec<(Arc<ApiKey>, Proof)>);

impl ApiKeys {
    /// Finds the key of a request: of its `Authorization` header, or without one that of the caller's certificate (DER), which the handshake has
    /// verified. Compares every key in constant time, so that the duration reveals nothing.
    pub fn authorize(&self, header: Option<&str>, certificate: Option<&[u8]>) -> Result<&Arc<ApiKey>, Refusal> {
        let found = match (header, certificate) {
            (Some(header), _) => bearer(header).and_then(|shown| self.of_secret(shown)),
            (None, Some(certificate)) => self.of_certificate(certificate),
            (None, None) => None,
        };
        found.ok_or_else(|| ErrorCode::Unauthorized.into())
    }

    fn of_secret(&self, shown: &str) -> Option<&Arc<ApiKey>> {
        let digest: Digest = Sha256::digest(shown).into();
        let mut found = None;
        for (key, proof) in &self.0 {
            if let Proof::Secret(known) = proof
                && bool::from(known.ct_eq(&digest))
            {
                found = Some(key);
            }
        }
        found
    }

    /// The first key of which the certificate has the name.
    fn of_certificate(&self, certificate: &[u8]) -> Option<&Arc<ApiKey>> {
        let names = certificate::names(certificate);
        let mut keys = self.0.iter();
        keys.find(|(_, proof)| matches!(proof, Proof::Certificate(name) if names.contains(name))).map(|(key, _)| key)
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, key) = header.split_once(' ')?;
    let key = key.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

impl TryFrom<&[settings::ApiKey]> for ApiKeys {
    type Error = Problems;

    /// Checks all entries. Each key belongs to one entry, so that it is clear which scopes count.
    fn try_from(entries: &[settings::ApiKey]) -> Result<Self, Problems> {
        let (mut problems, mut places, mut keys) = (Problems::default(), Vec::new(), Vec::<(Arc<ApiKey>, Proof)>::new());
        for (at, entry) in entries.iter().enumerate() {
            let place = format!("api_keys[{at}]");
            let Some(Entry { key, proof }) = Entry::read(entry, &place, &mut problems) else { continue };
            if let Some(other) = keys.iter().position(|(_, known)| *known == proof) {
                let cure = "remove one of the two, or make a key with gateway new-key";
                problems.add(&place, format!("has the same key as {}: {cure}", places[other]));
            }
            places.push(place);
            keys.push((Arc::new(key), proof));
        }
        problems.into_result(Self(keys))
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(key, _)| key.name())).finish()
    }
}
