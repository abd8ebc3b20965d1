//! Encodes frames of the link protocol.

use super::ending::Ending;
use gateway_core::model::{ErrorCode, Refusal, Retry};
use shared_proto::link::{LinkError, ToService};

pub(super) fn text(frame: &ToService) -> String {
    serde_json::to_string(frame).expect("frames have only string keys and valid raw values")
}

pub(super) fn link_error(refusal: &Refusal) -> LinkError {
    let retryable = refusal.code.row().retry != Retry::Never;
    LinkError {
        code: refusal.code.to_string(),
        message: refusal.detail.clone(),
        retryable,
        expected: refusal.expected,
        retry_after_ms: refusal.retry_after.map(|pause| pause.as_millis() as u64),
    }
}

/// The ending of a link whose peer sent a malformed frame.
pub(super) fn malformed(detail: impl Into<String>) -> Ending {
    Ending::Malformed(Refusal::new(ErrorCode::BadRequest, detail))
}
