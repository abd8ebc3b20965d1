//! The workspace that contains this crate, read once for all tests.

use conventions::{
    finding::{Finding, report},
    source::Source,
    tree::Tree,
};
use std::sync::LazyLock;

/// The source of the workspace.
pub(crate) static SOURCE: LazyLock<Source> =
    LazyLock::new(|| Tree::read_workspace().map_err(|error| error.to_string()).and_then(Source::of).expect("the workspace can be read"));

/// Asserts that the workspace breaks no rule of `check`. A failure lists every finding with its remedy.
#[track_caller]
pub(crate) fn keeps(check: fn(&Source) -> Vec<Finding>) {
    let findings = check(&SOURCE);
    assert!(findings.is_empty(), "\n{} findings\n{}", findings.len(), report(findings));
}
