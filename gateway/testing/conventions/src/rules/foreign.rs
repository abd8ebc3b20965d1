//! Crates from elsewhere stay in their places.
//!
//! ARCHITECTURE.md has a table under the heading that begins with "Foreign crates in", which names folders. A row names crates (a star at the end stands
//! for any rest), and the modules that may use them outside tests; "everywhere" allows all. Every crate that is used there has a row.

use super::{ARCHITECTURE, fault};
use crate::{
    code::Graph,
    finding::Finding,
    markdown::{Row, Table, code, tables},
    source::Source,
};

const RULE: &str = "foreign crates";
/// Comes with the language.
const STANDARD: [&str; 3] = ["std", "core", "alloc"];

/// Findings in the code, and in the table where it is not true.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    let page = source.tree.get(ARCHITECTURE).unwrap_or_default();
    let tables: Vec<_> = tables(page).into_iter().filter(|table| table.heading.starts_with("Foreign crates in")).collect();
    if tables.is_empty() {
        return vec![fault(
            RULE,
            0,
            "there is no table of foreign crates",
            "put one under a heading that begins with \"Foreign crates in\"",
        )];
    }
    tables.iter().flat_map(|table| check_table(table, &source.graph)).collect()
}

/// A crate that a file uses outside tests.
struct Used<'a> {
    file: &'a str,
    /// The file's path below the folder, without its ending.
    module: &'a str,
    krate: &'a str,
    line: usize,
}

/// A row of the table.
struct Allowed {
    line: usize,
    crates: Vec<String>,
    /// None: everywhere.
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
        let remedy = format!("do without it, or give it a row in {ARCHITECTURE} and a reason in the change's message");
        return Some((format!("crate `{krate}` is in no row of the table of foreign crates"), remedy));
    };
    let places = row.places.as_ref()?;
    if places.iter().any(|place| within(used.module, place)) {
        return None;
    }
    let what = format!("crate `{krate}` is used here, but belongs to {} only", places.join(", "));
    Some((what, "move the code that needs it there, and pass in what it decides or delivers".to_owned()))
}

impl Allowed {
    fn of(row: &Row) -> Self {
        let everywhere = row.cells.get(1).is_some_and(|cell| cell == "everywhere");
        Self { line: row.line, crates: row.code(0), places: (!everywhere).then(|| row.code(1)) }
    }

    fn names(&self, krate: &str) -> bool {
        self.crates.iter().any(|pattern| matches(pattern, krate))
    }

    /// What the row says, and the code does not do any more.
    fn unused(&self, used: &[Used<'_>]) -> Vec<Finding> {
        let used: Vec<_> = used.iter().filter(|used| self.names(used.krate)).collect();
        let crates = self.crates.iter().filter(|pattern| !used.iter().any(|used| matches(pattern, used.krate)));
        let places = self.places.iter().flatten().filter(|place| !used.iter().any(|used| within(used.module, place)));
        crates
            .chain(places)
            .map(|name| fault(RULE, self.line, &format!("`{name}` is in the row, but not in the code"), "take it out"))
            .collect()
    }
}

fn matches(pattern: &str, krate: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == krate, |stem| krate.starts_with(stem))
}

fn within(module: &str, place: &str) -> bool {
    module.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
