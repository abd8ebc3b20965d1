//! ARCHITECTURE.md, the page whose tables several rules check.

use crate::finding::Finding;

pub(super) const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// A finding about a line of the page. Line 0 is the whole page.
pub(super) fn fault(rule: &'static str, line: usize, what: &str, remedy: &str) -> Finding {
    Finding { file: ARCHITECTURE.to_owned(), line, rule, what: what.to_owned(), remedy: remedy.to_owned() }
}
