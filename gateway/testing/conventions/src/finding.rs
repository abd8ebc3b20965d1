//! Findings: the places where a rule is broken.

use std::fmt;

/// One place where a rule is broken, and how to repair it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path of the file or folder below the workspace root.
    pub file: String,
    /// First line of the place, from 1; 0 if the whole file is meant.
    pub line: usize,
    /// Name of the broken rule.
    pub rule: &'static str,
    /// What is wrong there.
    pub what: String,
    /// What to do to repair it.
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

/// All findings as one text, sorted by file and line. Empty if there are none.
#[must_use]
pub fn report(mut findings: Vec<Finding>) -> String {
    findings.sort();
    findings.iter().fold(String::new(), |text, finding| text + &finding.to_string() + "\n")
}
