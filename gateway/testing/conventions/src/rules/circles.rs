//! Dependencies between files form no circle.
//!
//! A file depends on each file that defines a name which it uses. Re-exports are followed to the definition, and a path in code counts like
//! an import. Lines with `mod` or `pub use` are no dependencies. A test module in a file of its own depends on the code that it tests.

use crate::{
    code::{Circle, Edge},
    finding::Finding,
    source::Source,
};
use std::fmt::Write as _;

const RULE: &str = "no circle of files";

/// A finding for each circle, with all names that its files use from each other.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    source.graph.circles().iter().map(finding).collect()
}

fn finding(circle: &Circle) -> Finding {
    let first = &circle.edges[0];
    Finding {
        file: first.from.clone(),
        line: first.taken[0].line,
        rule: RULE,
        what: text(circle),
        remedy: "move what both sides need into a file below both, or let the upper file pass to the lower one what it needs".to_owned(),
    }
}

/// A circle as text: its files, and each dependency with its names and lines.
#[must_use]
pub fn text(circle: &Circle) -> String {
    let mut text = format!("{} files depend on each other:\n", circle.files.len());
    for file in &circle.files {
        let _ = writeln!(text, "      {file}");
    }
    for edge in &circle.edges {
        let _ = writeln!(text, "    {}", edge_text(edge));
    }
    text.pop();
    text
}

fn edge_text(edge: &Edge) -> String {
    let mut names: Vec<(&str, Vec<String>)> = Vec::new();
    for taken in &edge.taken {
        let line = format!("{}{}", taken.line, if taken.test { " in tests" } else { "" });
        match names.iter_mut().find(|(name, _)| *name == taken.name) {
            Some((_, lines)) => lines.push(line),
            None => names.push((&taken.name, vec![line])),
        }
    }
    let names: Vec<_> = names.iter().map(|(name, lines)| format!("{name} ({})", lines.join(", "))).collect();
    format!("{}:{} uses from {}: {}", edge.from, edge.taken[0].line, edge.to, names.join("; "))
}
