//! Modules use only what is below them, in the order that ARCHITECTURE.md shows.
//!
//! The page has a table under each heading that begins with "Layers of", which names the folders whose modules (files and folders) the rows list. Top uses
//! bottom; modules of one row do not use each other. The file that wires a folder (`mod.rs`, `lib.rs`, `main.rs`) is above all of them. What only
//! tests compile may use everything, and is used by nothing else.

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

/// Findings in the code, and in the tables where they are not true.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    let page = source.tree.get(ARCHITECTURE).unwrap_or_default();
    let tables: Vec<_> = tables(page).into_iter().filter(|table| table.heading.starts_with("Layers of")).collect();
    if tables.is_empty() {
        return vec![fault(RULE, 0, "there is no table of layers", "put one under a heading that begins with \"Layers of\"")];
    }
    let mut findings: Vec<_> = tables.iter().flat_map(|table| Layers::of(table).check(&source.graph)).collect();
    findings.extend(source.graph.edges().filter_map(|edge| test_only(&source.graph, &edge)));
    findings
}

/// One table.
struct Layers {
    folders: Vec<String>,
    line: usize,
    /// The row of each module, 0 on top, with its line.
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
                let what = format!("`{from}` takes {} from `{to}` ({}): {what}", names(&taken), edge.to);
                findings.push(Finding { file: edge.from, line: taken[0].line, rule: RULE, what, remedy });
            }
        }
        findings
    }

    /// Each module of the folders is in one row, and each module of the table is in one folder.
    fn check_table(&self, graph: &Graph) -> Vec<Finding> {
        let files = graph.files.iter().enumerate().filter(|(id, _)| !graph.tests.contains(id));
        let there: BTreeSet<_> = files.filter_map(|(_, file)| self.module(file)).filter(|module| !WIRING.contains(module)).collect();
        let unlisted = there.iter().filter(|module| !self.rows.contains_key(**module)).map(|module| {
            let what = format!("module `{module}` of {} is in no row", self.folders.join(", "));
            fault(RULE, self.line, &what, "put it into the row below all that use it and above all that it uses")
        });
        let gone = self.rows.iter().filter(|(module, _)| !there.contains(module.as_str())).map(|(module, (_, line))| {
            let what = format!("there is no module `{module}` in {}", self.folders.join(", "));
            fault(RULE, *line, &what, "take it out, or name the folder in which it is in the heading, too")
        });
        let twice = self.twice.iter().map(|(module, line)| fault(RULE, *line, &format!("`{module}` is in two rows"), "take it out of one"));
        unlisted.chain(gone).chain(twice).collect()
    }

    /// The module of one of the folders that a file belongs to.
    fn module<'a>(&self, file: &'a str) -> Option<&'a str> {
        let below = self.folders.iter().find_map(|folder| file.strip_prefix(folder.as_str())?.strip_prefix('/'))?;
        below.split('/').next().map(|first| first.strip_suffix(".rs").unwrap_or(first))
    }

    fn wrong(&self, from: &str, to: &str) -> Option<(&'static str, String)> {
        if WIRING.contains(&to) {
            return Some(("that file only wires", "move it into a module of its own, below all that use it".to_owned()));
        }
        let (from, to) = (self.rows.get(from)?.0, self.rows.get(to)?.0);
        let cure = format!("move what both need below both, or let the upper one pass it in ({ARCHITECTURE} has the order)");
        match from.cmp(&to) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(("both are in one row, and do not use each other", cure)),
            std::cmp::Ordering::Greater => Some(("that is upward", cure)),
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
        what: format!("takes {} from {}, which only tests compile", names(&taken), edge.to),
        remedy: "mark the place as one of tests, or move what it takes out of the tests".to_owned(),
    })
}

fn names(taken: &[&Taken]) -> String {
    let names: BTreeSet<_> = taken.iter().map(|taken| taken.name.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}
