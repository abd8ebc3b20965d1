//! The error type of both clients.

use crate::errors::{ErrorCode, Retry};
use crate::link::LinkError;
use std::time::Duration;

/// Why a request failed. The variants differ in what the sender may do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The request was not carried out. It can safely be sent again later.
    #[error("not done ({code}): {detail}")]
    NotDone {
        /// Name in the error table, or `unreachable` if no gateway node could be reached.
        code: String,
        /// Explanation for people.
        detail: String,
        /// The pause that the gateway requested.
        retry_after: Option<Duration>,
    },
    /// It is unknown whether the request was carried out. It can be sent again only with the same idempotency key.
    #[error("outcome unknown ({code}): {detail}")]
    Unknown {
        /// Name in the error table, or `no_answer` if no answer arrived.
        code: String,
        /// Explanation for people.
        detail: String,
    },
    /// The gateway refused the request. A retry fails again unless the request is changed.
    #[error("refused ({code}): {detail}")]
    Refused {
        /// Name in the error table.
        code: String,
        /// Explanation for people.
        detail: String,
        /// With `sequence_gap`: the number that the producer has to send next.
        expected: Option<u64>,
    },
}

impl Failure {
    /// No gateway node could be reached, so the request was not carried out.
    pub fn unreachable(detail: impl Into<String>) -> Self {
        Self::NotDone { code: "unreachable".into(), detail: detail.into(), retry_after: None }
    }

    /// The request was sent, but no answer arrived.
    pub fn no_answer(detail: impl Into<String>) -> Self {
        Self::Unknown { code: "no_answer".into(), detail: detail.into() }
    }

    /// The request has an error that the sender must correct.
    pub fn refused(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::Refused { code: code.row().name.into(), detail: detail.into(), expected: None }
    }

    /// Name in the error table, or `unreachable` or `no_answer`.
    pub fn code(&self) -> &str {
        match self {
            Self::NotDone { code, .. } | Self::Unknown { code, .. } | Self::Refused { code, .. } => code,
        }
    }

    /// Whether the failure has this code of the error table.
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code() == code.row().name
    }

    /// Classifies an error of the gateway by its code. If this build does not know the code, `retryable` decides. `retry_after` counts where the
    /// error itself names no pause.
    pub(crate) fn named(error: LinkError, retry_after: Option<Duration>) -> Self {
        let LinkError { code, message: detail, retryable, expected, retry_after_ms } = error;
        let retry_after = retry_after_ms.map(Duration::from_millis).or(retry_after);
        match ErrorCode::by_name(&code).map(|known| known.row().retry) {
            Some(Retry::Safe) => Self::NotDone { code, detail, retry_after },
            Some(Retry::SameKeyOnly) => Self::Unknown { code, detail },
            // An unknown retryable code does not say whether the request was carried out.
            None if retryable => Self::Unknown { code, detail },
            Some(Retry::Never) | None => Self::Refused { code, detail, expected },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_table_decides_whether_a_retry_is_safe() {
        let classify = |code: &str, retryable| {
            let error = LinkError { code: code.into(), message: String::new(), retryable, expected: None, retry_after_ms: None };
            Failure::named(error, None)
        };
        assert!(matches!(classify("overloaded", true), Failure::NotDone { .. }));
        assert!(matches!(classify("outcome_unknown", true), Failure::Unknown { .. }));
        assert!(matches!(classify("bad_request", true), Failure::Refused { .. }), "the table has precedence over the flag");
        assert!(matches!(classify("of_a_later_version", true), Failure::Unknown { .. }));
        assert!(matches!(classify("of_a_later_version", false), Failure::Refused { .. }));
        assert!(classify("draining", true).is(ErrorCode::Draining));
    }

    #[test]
    fn the_pause_of_the_error_comes_before_that_of_the_header() {
        let pause = |retry_after_ms, header| {
            let error = LinkError { code: "overloaded".into(), message: String::new(), retryable: true, expected: None, retry_after_ms };
            match Failure::named(error, header) {
                Failure::NotDone { retry_after, .. } => retry_after,
                other => panic!("{other}"),
            }
        };
        let (quarter, second) = (Duration::from_millis(250), Duration::from_secs(1));
        assert_eq!([pause(Some(250), Some(second)), pause(None, Some(second)), pause(None, None)], [Some(quarter), Some(second), None]);
    }
}
