//! Why an entry becomes a dead letter.

use gateway_core::{model::Refusal, queue::DeadReason};

/// Largest size of a problem document, in bytes.
const MOST: usize = 1024;

/// Why an entry becomes a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) reason: DeadReason,
    /// A problem document (RFC 9457).
    pub(super) document: Box<str>,
}

impl Problem {
    pub(super) fn new(reason: DeadReason, refusal: &Refusal) -> Self {
        let mut problem = refusal.problem();
        loop {
            // Texts and numbers: serialising cannot fail.
            let document = serde_json::to_string(&problem).unwrap_or_default();
            let Some(excess) = document.len().checked_sub(MOST).filter(|excess| *excess > 0) else {
                return Self { reason, document: document.into() };
            };
            // A character has at most six bytes in JSON.
            let keep = problem.detail.floor_char_boundary(problem.detail.len().saturating_sub(excess.div_ceil(6)));
            problem.detail.truncate(keep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::model::ErrorCode;

    #[test]
    fn a_document_is_short_and_valid() {
        for detail in ["Short.".to_owned(), "\u{1}".repeat(900), "ü".repeat(2000), "\"".repeat(100_000)] {
            let document = Problem::new(DeadReason::Malformed, &Refusal::new(ErrorCode::BadRequest, detail.as_str())).document;
            let read: serde_json::Value = serde_json::from_str(&document).expect("JSON");
            assert!(document.len() <= MOST && read["status"] == 400 && read["code"] == "bad_request", "{document}");
            let shown = read["detail"].as_str().expect("text");
            assert!(detail.starts_with(shown) && shown.len() >= detail.len().min(100), "{document}");
        }
    }
}
