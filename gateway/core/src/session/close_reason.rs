//! Why a session closes its connection.

use crate::model::{Disconnect, Revocation};

/// Bytes that a close reason may have (RFC 6455, section 5.5).
const MAX_REASON: usize = 123;

/// The connection has to be closed. Code that returns this error has done nothing else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CloseReason {
    pub(super) code: u16,
    pub(super) reason: Box<str>,
}

impl CloseReason {
    /// Cuts the reason at the end of a character if it is too long.
    pub(super) fn new(code: u16, reason: &str) -> Self {
        let end = (0..=MAX_REASON.min(reason.len())).rev().find(|&end| reason.is_char_boundary(end));
        Self { code, reason: reason[..end.unwrap_or_default()].into() }
    }

    /// The client did not follow the protocol.
    pub(super) fn bad_request(why: &str) -> Self {
        Self::new(Disconnect::BadRequest.code(), why)
    }

    /// The client sent a token that is not valid.
    pub(super) fn invalid_token(why: &str) -> Self {
        Self::new(Disconnect::InvalidToken.code(), why)
    }
}

impl From<Disconnect> for CloseReason {
    fn from(why: Disconnect) -> Self {
        Self::new(why.code(), why.reason())
    }
}

/// Closes the connection if the revocation applies to its token, which was issued at this time.
pub(super) fn check_revocation(revocation: &Revocation, issued: Option<u64>) -> Result<(), CloseReason> {
    if revocation.applies_to(issued) { Err(CloseReason::new(revocation.code, &revocation.reason)) } else { Ok(()) }
}
