//! Makes API keys.

use super::entry::ALGORITHM;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};
use shared_proto::json::base64;
use std::fmt::Write as _;

/// How a generated key begins, so that people and scanners recognise one that leaked.
const PREFIX: &str = "sbk_";

/// A generated key of 256 random bits, and its hash. The value is secret.
pub struct NewKey {
    /// What the service sends.
    pub key: String,
    /// What the settings of the gateways have.
    pub hash: String,
}

impl NewKey {
    /// Makes a key. `None` if the operating system gives no random bytes.
    pub fn generate() -> Option<Self> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).ok()?;
        let key = format!("{PREFIX}{}", base64::encode_url(&bytes));
        let mut hash = ALGORITHM.to_owned();
        for byte in Sha256::digest(&key) {
            let _ = write!(hash, "{byte:02x}");
        }
        Some(Self { key, hash })
    }
}
