//! One place where a rule is broken.

use std::fmt;

/// A broken rule, with what its reader needs to mend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path below the workspace root.
    pub file: String,
    /// First line of the place; 0 where the whole file is meant.
    pub line: usize,
    /// Name of the rule.
    pub rule: &'static str,
    /// What is wrong there.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, rule, what, remedy } = self;
        match line {
            0 => write!(f, "{file}: [{rule}] {what}\n    remedy: {remedy}"),
            _ => write!(f, "{file}:{line}: [{rule}] {what}\n    remedy: {remedy}"),
        }
    }
}

/// All findings as one text, sorted by place; empty when there are none.
#[must_use]
pub fn report(mut findings: Vec<Finding>) -> String {
    findings.sort();
    findings.iter().fold(String::new(), |text, finding| text + &finding.to_string() + "\n")
}
