//! What refuses a frame.

use crate::model::{ErrorCode, Refusal};

/// An error of a frame.
pub(super) fn bad_request(detail: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, detail)
}
