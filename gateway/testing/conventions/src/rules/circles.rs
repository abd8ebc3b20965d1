//! Files depend on each other in one direction only.
//!
//! A file depends on the file that defines a name that it takes: re-exports are resolved, and paths in code count as imports do. `mod` and `pub use`
//! lines wire, and count as nothing. A module of tests is a file of its own that depends on what it tests.

use crate::{
    code::{Circle, Edge},
    finding::Finding,
    source::Source,
};
use std::fmt::Write as _;

const RULE: &str = "no circle of files";

/// A finding for each circle, with everything that its files take from each other.
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
        remedy: "move what both sides need into a file below both (a leaf), or let the upper one pass in what the lower one takes"
            .to_owned(),
    }
}

/// A circle as text: its files, and each dependency with line and names.
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
    format!("{}:{} takes from {}: {}", edge.from, edge.taken[0].line, edge.to, names.join("; "))
}
