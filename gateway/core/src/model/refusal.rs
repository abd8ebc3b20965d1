//! The error that a frontend or a service gets.

use super::ErrorCode;
use shared_proto::{content::InvalidContent, errors::Retry, rest::Problem};
use std::time::Duration;

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
    /// How long the caller should wait before it tries again, where that is known.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with its own text in place of the table's.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), expected: None, retry_after: None }
    }

    /// The same refusal with the pause before the next try. Its text gets a sentence about the pause, because the frontends' protocol has no
    /// other place for it.
    #[must_use]
    pub fn try_again_in(mut self, pause: Duration) -> Self {
        self.detail = format!("{} Try again in {} s.", self.detail, whole_seconds(pause));
        self.retry_after = Some(pause);
        self
    }

    /// The problem document (RFC 9457).
    pub fn problem(&self) -> Problem {
        let row = self.code.row();
        Problem {
            kind: "about:blank".into(),
            title: title(row.http).into(),
            status: row.http,
            code: row.name.into(),
            retryable: row.retry != Retry::Never,
            detail: self.detail.clone(),
            expected: self.expected,
            retry_after_ms: self.retry_after.map(|pause| pause.as_millis() as u64),
        }
    }

    /// [`Self::retry_after`] in whole seconds, rounded up; at least 1.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(whole_seconds)
    }
}

/// The phrase of an HTTP status.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Error",
    }
}

fn whole_seconds(pause: Duration) -> u64 {
    (pause.as_secs() + u64::from(pause.subsec_nanos() > 0)).max(1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_in_the_text_and_rounded_up() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (90_000, 90)] {
            let refusal = Refusal::new(ErrorCode::Overloaded, "Full.").try_again_in(Duration::from_millis(millis));
            assert_eq!(refusal.detail, format!("Full. Try again in {seconds} s."));
            assert_eq!(refusal.retry_after_seconds(), Some(seconds));
        }
        assert_eq!(Refusal::new(ErrorCode::Overloaded, "Full.").retry_after_seconds(), None);
    }
}
