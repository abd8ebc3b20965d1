//! Why a question has no answer.

use super::counters::QuestionResult;
use gateway_core::model::{ErrorCode, Refusal, ServiceName};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// The service is away. The result says how.
    Away(QuestionResult, String),
    /// Too many questions are in flight, or the service is busy.
    Overloaded(String),
}

impl Unanswered {
    pub(super) fn overloaded(service: &ServiceName) -> Self {
        Self::Overloaded(format!("Too many questions to {service} wait for an answer. Try again with a growing pause."))
    }

    pub(super) fn result(&self) -> QuestionResult {
        match self {
            Self::Away(how, _) => *how,
            Self::Overloaded(_) => QuestionResult::Overloaded,
        }
    }
}

impl From<Refusal> for Unanswered {
    fn from(Refusal { code, detail, .. }: Refusal) -> Self {
        match code {
            ErrorCode::Overloaded => Self::Overloaded(detail),
            ErrorCode::Timeout => Self::Away(QuestionResult::Timeout, detail),
            _ => Self::Away(QuestionResult::Unavailable, detail),
        }
    }
}
