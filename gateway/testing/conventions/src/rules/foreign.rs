//! Only some modules may use a crate from outside the workspace (a foreign crate).
//!
//! ARCHITECTURE.md has tables under headings that begin with "Foreign crates in" and name folders. Each row names crates, and the modules
//! that may use them outside tests. A name with a star at the end stands for all crates that begin like it; "everywhere" allows all
//! modules. Every foreign crate that these folders use needs a row.

use super::{ARCHITECTURE, fault};
use crate::{
    code::Graph,
    finding::Finding,
    markdown::{Row, Table, code, tables},
    source::Source,
};

const RULE: &str = "foreign crates";
/// Crates that come with the language. They need no row.
const STANDARD: [&str; 3] = ["std", "core", "alloc"];

/// A finding for each use that no row allows, and for each entry of a row that no code uses.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    let page = source.tree.get(ARCHITECTURE).unwrap_or_default();
    let tables: Vec<_> = tables(page).into_iter().filter(|table| table.heading.starts_with("Foreign crates in")).collect();
    if tables.is_empty() {
        return vec![fault(
            RULE,
            0,
            "the page has no table of foreign crates",
            "add one under a heading that begins with \"Foreign crates in\"",
        )];
    }
    tables.iter().flat_map(|table| check_table(table, &source.graph)).collect()
}

/// A foreign crate that a file uses outside tests.
struct Used<'a> {
    file: &'a str,
    /// The file's path below the folder, without `.rs`.
    module: &'a str,
    krate: &'a str,
    line: usize,
}

/// A row of the table.
struct Allowed {
    line: usize,
    crates: Vec<String>,
    /// The modules that may use the crates. `None`: all modules.
    places: Option<Vec<String>>,
}

fn check_table(table: &Table, graph: &Graph) -> Vec<Finding> {
    let used = used(&code(&table.heading), graph);
    let rows: Vec<_> = table.rows.iter().map(Allowed::of).collect();
    let wrong = used.iter().filter_map(|used| {
        let (what, remedy) = wrong(&rows, used)?;
        Some(Finding { file: used.file.to_owned(), line: used.line, rule: RULE, what, remedy })
    });
    wrong.chain(rows.iter().flat_map(|row| row.unused(&used))).collect()
}

fn used<'a>(folders: &[String], graph: &'a Graph) -> Vec<Used<'a>> {
    let all = graph.foreign.iter().filter(|((_, krate), _)| !STANDARD.contains(&krate.as_str()));
    let outside_tests = all.filter_map(|((file, krate), taken)| {
        let file = &graph.files[*file];
        let module = folders.iter().find_map(|folder| file.strip_prefix(folder.as_str())?.strip_prefix('/')?.strip_suffix(".rs"))?;
        let line = taken.iter().find(|taken| !taken.test)?.line;
        Some(Used { file, module, krate, line })
    });
    outside_tests.collect()
}

fn wrong(rows: &[Allowed], used: &Used<'_>) -> Option<(String, String)> {
    let krate = used.krate;
    let Some(row) = rows.iter().find(|row| row.names(krate)) else {
        let remedy = format!("do without the crate, or add a row for it to {ARCHITECTURE} and explain why in the commit message");
        return Some((format!("crate `{krate}` is in no row of the table of foreign crates"), remedy));
    };
    let places = row.places.as_ref()?;
    if places.iter().any(|place| within(used.module, place)) {
        return None;
    }
    let what = format!("crate `{krate}` is used here, but only {} may use it", places.join(", "));
    Some((what, "move the code that needs the crate there, and pass its results to this module".to_owned()))
}

impl Allowed {
    fn of(row: &Row) -> Self {
        let everywhere = row.cells.get(1).is_some_and(|cell| cell == "everywhere");
        Self { line: row.line, crates: row.code(0), places: (!everywhere).then(|| row.code(1)) }
    }

    fn names(&self, krate: &str) -> bool {
        self.crates.iter().any(|pattern| matches(pattern, krate))
    }

    /// A finding for each crate and module of the row that the code no longer has.
    fn unused(&self, used: &[Used<'_>]) -> Vec<Finding> {
        let used: Vec<_> = used.iter().filter(|used| self.names(used.krate)).collect();
        let crates = self.crates.iter().filter(|pattern| !used.iter().any(|used| matches(pattern, used.krate)));
        let places = self.places.iter().flatten().filter(|place| !used.iter().any(|used| within(used.module, place)));
        crates
            .chain(places)
            .map(|name| fault(RULE, self.line, &format!("`{name}` is in the row, but no code uses it"), "remove it from the row"))
            .collect()
    }
}

fn matches(pattern: &str, krate: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == krate, |stem| krate.starts_with(stem))
}

fn within(module: &str, place: &str) -> bool {
    module.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
