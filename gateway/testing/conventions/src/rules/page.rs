//! The page whose tables several rules hold.

use crate::finding::Finding;

pub(super) const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// A finding about the page itself.
pub(super) fn fault(rule: &'static str, line: usize, what: &str, remedy: &str) -> Finding {
    Finding { file: ARCHITECTURE.to_owned(), line, rule, what: what.to_owned(), remedy: remedy.to_owned() }
}
