//! What a client says when a request did not succeed.

use crate::errors::{ErrorCode, Retry};
use std::time::Duration;

/// Why a request did not succeed, told apart by what its sender may do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Surely not carried out: it may be sent again, later.
    #[error("not done ({code}): {detail}")]
    NotDone {
        /// Name in the error table, or `unreachable` where no gateway answered.
        code: String,
        /// For people.
        detail: String,
        /// The pause that the gateway asked for.
        retry_after: Option<Duration>,
    },
    /// Nobody knows whether it was carried out: it may be sent again only under the same idempotency key.
    #[error("outcome unknown ({code}): {detail}")]
    Unknown {
        /// Name in the error table, or `no_answer` where the gateway did not answer.
        code: String,
        /// For people.
        detail: String,
    },
    /// Refused: the request itself has to change first.
    #[error("refused ({code}): {detail}")]
    Refused {
        /// Name in the error table.
        code: String,
        /// For people.
        detail: String,
    },
}

impl Failure {
    /// No gateway could be reached: surely not done.
    pub fn unreachable(detail: impl Into<String>) -> Self {
        Self::NotDone { code: "unreachable".into(), detail: detail.into(), retry_after: None }
    }

    /// It was sent, and no answer came.
    pub fn no_answer(detail: impl Into<String>) -> Self {
        Self::Unknown { code: "no_answer".into(), detail: detail.into() }
    }

    /// Name in the error table, or one of the client's own.
    pub fn code(&self) -> &str {
        match self {
            Self::NotDone { code, .. } | Self::Unknown { code, .. } | Self::Refused { code, .. } => code,
        }
    }

    /// Whether this failure carries the given row's name.
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code() == code.row().name
    }

    /// Judges an error that the gateway named; `retryable` decides where the name is not in this build's table.
    pub(crate) fn named(code: String, detail: String, retryable: bool, retry_after: Option<Duration>) -> Self {
        match ErrorCode::by_name(&code).map(|known| known.row().retry) {
            Some(Retry::Safe) => Self::NotDone { code, detail, retry_after },
            Some(Retry::SameKeyOnly) => Self::Unknown { code, detail },
            // A retryable error we do not know promises nothing about what was done.
            None if retryable => Self::Unknown { code, detail },
            Some(Retry::Never) | None => Self::Refused { code, detail },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_table_decides_what_may_be_sent_again() {
        let judge = |code: &str, retryable| Failure::named(code.into(), String::new(), retryable, None);
        assert!(matches!(judge("overloaded", true), Failure::NotDone { .. }));
        assert!(matches!(judge("outcome_unknown", true), Failure::Unknown { .. }));
        assert!(matches!(judge("bad_request", true), Failure::Refused { .. }), "the table outranks the flag");
        assert!(matches!(judge("of_a_later_version", true), Failure::Unknown { .. }));
        assert!(matches!(judge("of_a_later_version", false), Failure::Refused { .. }));
        assert!(judge("draining", true).is(ErrorCode::Draining));
    }
}
