//! The key to the session of a stream.

use super::WorkerId;
use std::{fmt, str::FromStr};

/// Number of hex digits of the secret.
const SECRET_DIGITS: usize = 32;

/// What a client shows with each request that has commands for the session of its stream: 128 random bits, and the worker that has the session.
///
/// Whoever knows the key can act as the session. So it has no `Display`, and its `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey {
    secret: [u8; 16],
    worker: WorkerId,
}

impl SessionKey {
    /// A new key for a session on this worker.
    pub fn random(worker: WorkerId) -> Self {
        Self { secret: rand::random(), worker }
    }

    /// The worker that has the session.
    pub fn worker(self) -> WorkerId {
        self.worker
    }

    /// Its text form, for the client alone: 34 lower-case hex digits.
    pub fn reveal(self) -> String {
        format!("{:032x}{:02x}", u128::from_be_bytes(self.secret), self.worker.index())
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey(worker {})", self.worker.index())
    }
}

/// The text is not a session key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a session key: 34 lower-case hex digits")]
pub struct InvalidSessionKey;

impl FromStr for SessionKey {
    type Err = InvalidSessionKey;

    fn from_str(text: &str) -> Result<Self, InvalidSessionKey> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != SECRET_DIGITS + 2 || !text.bytes().all(is_digit) {
            return Err(InvalidSessionKey);
        }
        let (secret, worker) = text.split_at(SECRET_DIGITS);
        let secret = u128::from_str_radix(secret, 16).map_err(|_| InvalidSessionKey)?.to_be_bytes();
        let worker = usize::from_str_radix(worker, 16).ok().and_then(WorkerId::new).ok_or(InvalidSessionKey)?;
        Ok(Self { secret, worker })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_stays_hidden() {
        let worker = WorkerId::new(WorkerId::MAX).expect("the largest");
        let key = SessionKey::random(worker);
        let text = key.reveal();
        assert_eq!((text.len(), text.parse(), key.worker()), (34, Ok(key), worker));
        assert_ne!(key, SessionKey::random(worker));
        assert_eq!(format!("{key:?}"), "SessionKey(worker 63)");
    }

    #[test]
    fn other_texts_are_no_keys() {
        let secret = "0".repeat(SECRET_DIGITS);
        for text in ["", "x", &secret, &format!("{secret}40"), &format!("{secret}0G"), &format!("+{secret}0"), &"é".repeat(17)] {
            assert_eq!(text.parse::<SessionKey>(), Err(InvalidSessionKey), "{text}");
        }
    }
}
