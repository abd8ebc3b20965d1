//! What a request is answered if there is no stream.
//!
//! A browser connects again after a stream that has ended, but never after another status than 200.

use crate::model::{Disconnect, ErrorCode, Refusal};

/// What a request is answered if there is no stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// 200, and nothing but the time after which to connect again: the same request may succeed later.
    Later(Refusal),
    /// 204: the client comes back by itself, and may not.
    NoReturn(Refusal),
    /// A problem document.
    Problem(Refusal),
}

impl Rejection {
    /// The answer to a request that was refused.
    pub fn of(refusal: Refusal, is_return: bool) -> Self {
        let is_permission = matches!(refusal.code, ErrorCode::Unauthorized | ErrorCode::TokenExpired | ErrorCode::PermissionDenied);
        if refusal.code.temporary() || refusal.code.row().http >= 500 {
            Self::Later(refusal)
        } else if is_permission && is_return {
            Self::NoReturn(refusal)
        } else {
            Self::Problem(refusal)
        }
    }
}

/// The refusal with which a service answered.
pub(super) fn of_service(message: String, temporary: bool) -> Refusal {
    Refusal::new(if temporary { ErrorCode::ServiceUnavailable } else { ErrorCode::PermissionDenied }, message)
}

/// The refusal for a session that closes the connection before there is a stream.
pub(super) fn of_close(code: u16, reason: &str) -> Refusal {
    let known = Disconnect::ALL.iter().find(|known| known.code() == code);
    let error = match known {
        Some(Disconnect::InvalidToken) => ErrorCode::Unauthorized,
        Some(Disconnect::Expired) => ErrorCode::TokenExpired,
        Some(Disconnect::ChannelLimit | Disconnect::ConnectionLimit) => ErrorCode::LimitExceeded,
        Some(Disconnect::Shutdown) => ErrorCode::Draining,
        _ if allows_return(code) => ErrorCode::ServiceUnavailable,
        _ => ErrorCode::PermissionDenied,
    };
    Refusal::new(error, reason)
}

/// Whether a client may come back after a close with this code. It cannot with a token that has expired: the token is part of its address.
pub(super) fn allows_return(code: u16) -> bool {
    code != Disconnect::Expired.code() && matches!(code, 3000..=3499 | 4000..=4499)
}
