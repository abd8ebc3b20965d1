//! The origin of the page that sends a request (RFC 6454, section 7).

use actix_http::header::{HeaderMap, ORIGIN};
use gateway_core::model::{ErrorCode, Refusal};

/// The page's origin. `None` for clients that are not browsers. A repeated or non-ASCII origin is refused.
pub fn request_origin(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut all = headers.get_all(ORIGIN);
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(origin), None) if origin.to_str().is_ok() => Ok(origin.to_str().ok()),
        _ => Err(ErrorCode::OriginNotAllowed.into()),
    }
}
