//! How long tokens are valid.

use super::turn::Turn;
use crate::model::Tick;
use std::time::Duration;

/// What a token's lifetime means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expiry {
    /// Seconds until the client should refresh it; at least one.
    pub(super) ttl: u32,
    /// When what it allows ends, unless it was refreshed.
    pub(super) ends: Tick,
}

/// The token is valid no longer.
pub(super) struct Expired;

impl Expiry {
    /// Begins now. Tokens without expiry have none.
    pub(super) fn begin(turn: &Turn<'_>, expires_in: Option<Duration>) -> Result<Option<Self>, Expired> {
        let Some(valid) = expires_in else { return Ok(None) };
        if valid.is_zero() {
            return Err(Expired);
        }
        let seconds = valid.as_secs().saturating_add(u64::from(valid.subsec_nanos() > 0));
        let ends = turn.now.after(valid).after(turn.rules.expiry_grace);
        Ok(Some(Self { ttl: u32::try_from(seconds).unwrap_or(u32::MAX), ends }))
    }
}
