//! API keys of services, sent as `Authorization: Bearer` (RFC 6750).

use crate::settings;
use gateway_core::model::{ErrorCode, Refusal};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::ConstantTimeEq as _;

/// The name of an API key, for logs, metrics and the scope of idempotency keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiKeyName(Box<str>);

impl ApiKeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiKeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All accepted keys, as SHA-256 digests. They are long and random, so a slow hash would add no protection.
pub struct ApiKeys(Vec<(ApiKeyName, [u8; 32])>);

impl ApiKeys {
    /// Finds the key of an `Authorization` header. Compares every key in constant time, so that the duration reveals
    /// nothing.
    pub fn authorize(&self, header: Option<&str>) -> Result<&ApiKeyName, Refusal> {
        let shown = header.and_then(bearer).ok_or_else(|| Refusal::from(ErrorCode::Unauthorized))?;
        let digest: [u8; 32] = Sha256::digest(shown).into();
        let mut found = None;
        for (name, known) in &self.0 {
            if bool::from(known.ct_eq(&digest)) {
                found = Some(name);
            }
        }
        found.ok_or_else(|| ErrorCode::Unauthorized.into())
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

impl From<&[settings::ApiKey]> for ApiKeys {
    fn from(keys: &[settings::ApiKey]) -> Self {
        let digest = |key: &settings::ApiKey| Sha256::digest(key.key.expose_secret()).into();
        Self(keys.iter().map(|key| (ApiKeyName(key.name.as_str().into()), digest(key))).collect())
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn keys() -> ApiKeys {
        let toml = "[[api_keys]]\nname = \"old\"\nkey = \"one\"\n[[api_keys]]\nname = \"new\"\nkey = \"two\"";
        ApiKeys::from(&*Settings::from_toml(toml).expect("valid").api_keys)
    }

    #[test]
    fn each_key_is_accepted_under_its_name() {
        let keys = keys();
        for (header, name) in [("Bearer one", "old"), ("bearer two", "new"), ("BEARER  two ", "new")] {
            assert_eq!(keys.authorize(Some(header)).map(ApiKeyName::as_str), Ok(name), "{header}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let keys = keys();
        for header in
            ["", "one", "Bearer", "Bearer ", "Bearer on", "Bearer one two", "Basic one", "Bearer old", "Bearer\tone", "Bearer ONE"]
        {
            assert_eq!(keys.authorize(Some(header)).map_err(|refusal| refusal.code), Err(ErrorCode::Unauthorized), "{header:?}");
        }
        assert!(keys.authorize(None).is_err());
        assert!(ApiKeys::from(&[][..]).authorize(Some("Bearer ")).is_err());
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", keys()), r#"[ApiKeyName("old"), ApiKeyName("new")]"#);
    }
}
