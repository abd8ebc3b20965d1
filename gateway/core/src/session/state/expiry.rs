//! When a connection or subscription ends because its token expires. The gateway's `auth` decides whether a token is expired.

use crate::{model::Tick, session::context::Context};
use std::time::Duration;

/// The expiry of a connection or a subscription that a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// Seconds until the token expires, at least 1. The client has to refresh it by then.
    pub(crate) ttl: u32,
    /// When the connection or subscription ends without a refresh: the expiry of the token plus a grace period.
    pub(crate) expires_at: Tick,
}

/// The token has expired.
pub(crate) struct Expired;

impl Expiry {
    /// The expiry of a token that is valid for this time from now. `None` for a token that does not expire.
    pub(crate) fn begin(cx: &Context<'_>, expires_in: Option<Duration>) -> Result<Option<Self>, Expired> {
        let Some(valid) = expires_in else { return Ok(None) };
        if valid.is_zero() {
            return Err(Expired);
        }
        let seconds = valid.as_secs().saturating_add(u64::from(valid.subsec_nanos() > 0));
        let expires_at = cx.now.after(valid).after(cx.config.expiry_grace);
        Ok(Some(Self { ttl: u32::try_from(seconds).unwrap_or(u32::MAX), expires_at }))
    }
}
