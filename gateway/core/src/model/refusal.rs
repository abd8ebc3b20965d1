//! The error that a frontend or a service gets.

use super::ErrorCode;
use shared_proto::content::InvalidContent;

/// An error of the table in `shared_proto::errors`, with a text for this case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// Row of the error table.
    pub code: ErrorCode,
    /// What went wrong, and what to do about it.
    pub detail: String,
    /// With [`ErrorCode::SequenceGap`]: the number that the producer has to send next.
    pub expected: Option<u64>,
}

impl Refusal {
    /// A refusal with its own text in place of the table's.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), expected: None }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.row().doc)
    }
}

impl From<InvalidContent> for Refusal {
    fn from(error: InvalidContent) -> Self {
        Self::new(ErrorCode::BadRequest, error.to_string())
    }
}
