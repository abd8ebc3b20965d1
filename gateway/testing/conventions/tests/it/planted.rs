//! Small workspaces with deliberate faults, in memory.

use conventions::{finding::Finding, source::Source, tree::Tree};

/// A workspace with one package, `gateway`. The paths of `files` are relative to its `src`.
pub(crate) fn gateway(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::of([("gateway/Cargo.toml", "[package]\nname = \"gateway\"\n")]);
    for (path, text) in files {
        tree.insert(&format!("gateway/src/{path}"), text);
    }
    tree
}

/// Reads the source of a workspace for the rules.
pub(crate) fn source(tree: &Tree) -> Source {
    Source::of(tree.clone()).expect("the files of the test can be read")
}

/// The findings as texts `file:line what`, sorted.
pub(crate) fn found(findings: &[Finding]) -> Vec<String> {
    let mut lines: Vec<_> = findings.iter().map(|finding| format!("{}:{} {}", finding.file, finding.line, finding.what)).collect();
    lines.sort();
    lines
}

/// Every dependency as `from:line to name`. Paths in `gateway/src/` are shown without that folder.
pub(crate) fn taken(tree: &Tree) -> Vec<String> {
    let short = |path: &str| path.trim_start_matches("gateway/src/").to_owned();
    let edges = source(tree).graph.edges().collect::<Vec<_>>();
    let lines = edges.iter().flat_map(|edge| {
        edge.taken.iter().map(|taken| {
            let test = if taken.test { " (test)" } else { "" };
            format!("{}:{} {} {}{test}", short(&edge.from), taken.line, short(&edge.to), taken.name)
        })
    });
    lines.collect()
}
