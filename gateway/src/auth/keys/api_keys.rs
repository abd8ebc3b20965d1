//! All API keys, sent as `Authorization: Bearer` (RFC 6750).

use super::{
    api_key::ApiKey,
    certificate, entry,
    proof::{Digest, Proof},
};
use crate::settings::{self, Problems};
use gateway_core::model::{ErrorCode, Refusal};
use sha2::{Digest as _, Sha256};
use std::{fmt, sync::Arc};
use subtle::ConstantTimeEq as _;

/// All accepted keys.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeys(Vec<Arc<ApiKey>>);

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
        for key in &self.0 {
            if let Proof::Secret(known) = key.proof()
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
        self.0.iter().find(|key| matches!(key.proof(), Proof::Certificate(name) if names.contains(name)))
    }

    /// The key here that the same callers have as `other`, which may have another name and other scopes.
    pub(super) fn same(&self, other: &ApiKey) -> Option<&Arc<ApiKey>> {
        self.0.iter().find(|key| key.proof() == other.proof())
    }

    /// The first key.
    #[cfg(test)]
    pub(super) fn first(&self) -> &Arc<ApiKey> {
        &self.0[0]
    }

    /// The name of each key. Several may be equal.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.name())
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
        let (mut problems, mut places, mut keys) = (Problems::default(), Vec::new(), Vec::<Arc<ApiKey>>::new());
        for (at, entry) in entries.iter().enumerate() {
            let place = format!("api_keys[{at}]");
            let Some(key) = entry::read(entry, &place, &mut problems) else { continue };
            if let Some(other) = keys.iter().position(|known| known.proof() == key.proof()) {
                let cure = "remove one of the two, or make a key with gateway new-key";
                problems.add(&place, format!("has the same key as {}: {cure}", places[other]));
            }
            places.push(place);
            keys.push(Arc::new(key));
        }
        problems.into_result(Self(keys))
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
