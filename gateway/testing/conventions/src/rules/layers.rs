//! A module uses only modules below it, in the order that ARCHITECTURE.md shows.
//!
//! The page has tables under headings that begin with "Layers of" and name folders. The rows list the modules (files and folders) of these
//! folders, from top to bottom. A module may use modules of lower rows; modules of one row do not use each other. The file that declares a
//! folder's modules (`mod.rs`, `lib.rs`, `main.rs`) is above all rows. Code that only tests compile may use everything, and only such code
//! may use it.

use super::{ARCHITECTURE, fault};
use crate::{
    code::{Edge, Graph, Taken},
    finding::Finding,
    markdown::{Row, Table, code, tables},
    source::Source,
};
use std::collections::{BTreeMap, BTreeSet};

const RULE: &str = "layers";
const WIRING: [&str; 3] = ["lib", "main", "mod"];

/// A finding for each use that the tables forbid, and for each difference between the tables and the folders.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    let page = source.tree.get(ARCHITECTURE).unwrap_or_default();
    let tables: Vec<_> = tables(page).into_iter().filter(|table| table.heading.starts_with("Layers of")).collect();
    if tables.is_empty() {
        return vec![fault(RULE, 0, "the page has no table of layers", "add one under a heading that begins with \"Layers of\"")];
    }
    let mut findings: Vec<_> = tables.iter().flat_map(|table| Layers::of(table).check(&source.graph)).collect();
    findings.extend(source.graph.edges().filter_map(|edge| test_only(&source.graph, &edge)));
    findings
}

/// One table of layers.
struct Layers {
    folders: Vec<String>,
    line: usize,
    /// For each module, the index of its row (0 is the top row), and the row's line.
    rows: BTreeMap<String, (usize, usize)>,
    twice: Vec<(String, usize)>,
}

impl Layers {
    fn of(table: &Table) -> Self {
        let (mut rows, mut twice) = (BTreeMap::new(), Vec::new());
        for (rank, row) in table.rows.iter().enumerate() {
            for module in Row::code(row, 0) {
                if rows.insert(module.clone(), (rank, row.line)).is_some() {
                    twice.push((module, row.line));
                }
            }
        }
        Self { folders: code(&table.heading), line: table.line, rows, twice }
    }

    fn check(&self, graph: &Graph) -> Vec<Finding> {
        let mut findings = self.check_table(graph);
        for edge in graph.edges() {
            let (Some(from), Some(to)) = (self.module(&edge.from), self.module(&edge.to)) else { continue };
            let taken: Vec<_> = edge.taken.iter().filter(|taken| !taken.test).collect();
            if from == to || WIRING.contains(&from) || taken.is_empty() {
                continue;
            }
            if let Some((what, remedy)) = self.wrong(from, to) {
                let what = format!("`{from}` uses {} from `{to}` ({}): {what}", names(&taken), edge.to);
                findings.push(Finding { file: edge.from, line: taken[0].line, rule: RULE, what, remedy });
            }
        }
        findings
    }

    /// Checks that each module of the folders is in exactly one row, and that each module of the table exists.
    fn check_table(&self, graph: &Graph) -> Vec<Finding> {
        let files = graph.files.iter().enumerate().filter(|(id, _)| !graph.tests.contains(id));
        let there: BTreeSet<_> = files.filter_map(|(_, file)| self.module(file)).filter(|module| !WIRING.contains(module)).collect();
        let unlisted = there.iter().filter(|module| !self.rows.contains_key(**module)).map(|module| {
            let what = format!("module `{module}` of {} is in no row", self.folders.join(", "));
            fault(RULE, self.line, &what, "add it to a row below all modules that use it and above all modules that it uses")
        });
        let gone = self.rows.iter().filter(|(module, _)| !there.contains(module.as_str())).map(|(module, (_, line))| {
            let what = format!("there is no module `{module}` in {}", self.folders.join(", "));
            fault(RULE, *line, &what, "remove the name, or add the module's folder to the heading")
        });
        let twice =
            self.twice.iter().map(|(module, line)| fault(RULE, *line, &format!("`{module}` is in two rows"), "remove it from one of them"));
        unlisted.chain(gone).chain(twice).collect()
    }

    /// The module that a file belongs to. `None` if the file is in none of the folders.
    fn module<'a>(&self, file: &'a str) -> Option<&'a str> {
        let below = self.folders.iter().find_map(|folder| file.strip_prefix(folder.as_str())?.strip_prefix('/'))?;
        below.split('/').next().map(|first| first.strip_suffix(".rs").unwrap_or(first))
    }

    fn wrong(&self, from: &str, to: &str) -> Option<(&'static str, String)> {
        if WIRING.contains(&to) {
            return Some((
                "that file may only declare modules",
                "move the definition into a module of its own, below all modules that use it".to_owned(),
            ));
        }
        let (from, to) = (self.rows.get(from)?.0, self.rows.get(to)?.0);
        let cure = format!(
            "move what both need into a module below both, or let the upper module pass it to the lower one ({ARCHITECTURE} shows the order)"
        );
        match from.cmp(&to) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(("modules of one row must not use each other", cure)),
            std::cmp::Ordering::Greater => Some(("a module must not use modules above it", cure)),
        }
    }
}

fn test_only(graph: &Graph, edge: &Edge) -> Option<Finding> {
    let is_test = |file: &str| graph.tests.iter().any(|id| graph.files[*id] == file);
    let taken: Vec<_> = edge.taken.iter().filter(|taken| !taken.test).collect();
    (!taken.is_empty() && is_test(&edge.to)).then(|| Finding {
        file: edge.from.clone(),
        line: taken[0].line,
        rule: RULE,
        what: format!("uses {} from {}, which only tests compile", names(&taken), edge.to),
        remedy: "mark this code with #[cfg(test)], or move the definition out of the test code".to_owned(),
    })
}

fn names(taken: &[&Taken]) -> String {
    let names: BTreeSet<_> = taken.iter().map(|taken| taken.name.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}
