//! The keys in force. They are replaced as a whole while the gateway runs.

use super::{api_key::ApiKey, api_keys::ApiKeys};
use gateway_core::model::{ErrorCode, Refusal, ServiceName};
use std::{future::pending, sync::Arc};
use tokio::sync::watch;

/// The keys that count now.
#[derive(Debug)]
pub struct CurrentKeys(watch::Sender<ApiKeys>);

impl CurrentKeys {
    /// Begins with these keys.
    pub fn new(keys: ApiKeys) -> Self {
        Self(watch::Sender::new(keys))
    }

    /// Puts other keys into their place. Requests that come later, and all links, count by these.
    pub fn replace(&self, keys: ApiKeys) {
        self.0.send_replace(keys);
    }

    /// See [`ApiKeys::authorize`].
    pub fn authorize(&self, header: Option<&str>, certificate: Option<&[u8]>) -> Result<Arc<ApiKey>, Refusal> {
        self.0.borrow().authorize(header, certificate).cloned()
    }

    /// Holds a key for longer than a request.
    pub fn hold(&self, key: Arc<ApiKey>) -> HeldKey {
        HeldKey { key, keys: self.0.subscribe() }
    }
}

/// A key that a caller has shown once and goes on to use.
#[derive(Clone, Debug)]
pub struct HeldKey {
    /// As it was when the caller showed it.
    key: Arc<ApiKey>,
    keys: watch::Receiver<ApiKeys>,
}

impl HeldKey {
    /// The key with the name and the scopes that it has now. Refused if it no longer counts.
    pub fn now(&self) -> Result<Arc<ApiKey>, Refusal> {
        self.keys.borrow().same(&self.key).cloned().ok_or_else(|| {
            let detail = format!("The API key {:?} is no longer in the settings. Use another key.", self.key.name());
            Refusal::new(ErrorCode::Unauthorized, detail)
        })
    }

    /// Waits until the key may not open links of the service any more, and says why.
    pub async fn lost(&self, service: &ServiceName) -> Refusal {
        let mut keys = self.keys.clone();
        loop {
            keys.mark_unchanged();
            if let Err(refusal) = self.now().and_then(|key| key.check_link(service)) {
                return refusal;
            }
            if keys.changed().await.is_err() {
                // Nobody can replace them.
                pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
impl HeldKey {
    /// A key that may do everything, for tests.
    pub(crate) fn unlimited(name: &str) -> Self {
        let toml = format!("[[api_keys]]\nname = \"{name}\"\nkey = \"{name}\"");
        let settings = crate::settings::Settings::from_toml(&toml).expect("valid");
        let keys = CurrentKeys::new(ApiKeys::try_from(&settings.api_keys[..]).expect("valid"));
        keys.hold(keys.authorize(Some(&format!("Bearer {name}")), None).expect("a key"))
    }
}
