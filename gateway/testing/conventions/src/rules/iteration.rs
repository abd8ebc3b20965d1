//! What the simulation runs does nothing in the order of a hash map: that order differs from run to run, so that a seed would not repeat what it found.
//!
//! Read from syntax: what is declared as a `HashMap` or `HashSet` (fields, arguments, variables, what functions return) is not iterated, unless its type
//! names a hasher that is fixed while tests run. Fields of files in the same folder, or below it, count, too. Where the order has no effect, a comment on the line
//! or the line above says so: `// Any order: why`. What only tests compile is free, but for the simulation itself.

mod declared;
mod walk;

use crate::{finding::Finding, source::Source};
use declared::Declared;
use walk::Iteration;

const RULE: &str = "no order of hash maps";
const EXCUSE: &str = "// Any order: ";

/// What the simulation runs, beside what it replaces.
pub const SIMULATED: [&str; 13] = [
    "gateway/core/src",
    "gateway/src/simulation",
    "gateway/src/connection",
    "gateway/src/hub",
    "gateway/src/broker/mailbox",
    "gateway/src/broker/reads",
    "gateway/src/broker/redis/channels",
    "gateway/src/broker/redis/commands",
    "gateway/src/broker/redis/schema",
    "gateway/src/broker/redis/simulated",
    "gateway/src/broker/redis/subscriptions",
    "gateway/src/node",
    "gateway/src/publish",
];

/// A finding for each iteration over a hash map or set.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    let files: Vec<_> = source.tree.files().filter(|(file, _)| is_rust(file) && is_simulated(source, file)).collect();
    let files: Vec<_> = files.into_iter().filter_map(|(file, text)| Some((file, text, syn::parse_file(text).ok()?))).collect();
    let declared: Vec<_> = files.iter().map(|(_, _, parsed)| Declared::of(parsed)).collect();
    let mut findings = Vec::new();
    for ((file, text, parsed), own) in files.iter().zip(&declared) {
        let mut known = own.clone();
        for ((other, ..), theirs) in files.iter().zip(&declared).filter(|((other, ..), _)| other != file) {
            known.join(theirs, is_near(other, file));
        }
        let lines: Vec<_> = text.lines().collect();
        let iterations = walk::iterations(parsed, &known);
        findings.extend(iterations.into_iter().filter(|found| !is_excused(&lines, found.line)).map(|found| finding(file, &found)));
    }
    findings
}

/// Whether one file's folder is, or lies in, the other's.
fn is_near(one: &str, other: &str) -> bool {
    let folder = |file: &str| file.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"));
    one.starts_with(&folder(other)) || other.starts_with(&folder(one))
}

fn is_simulated(source: &Source, file: &str) -> bool {
    let within = |folder: &str| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') || rest == ".rs");
    let is_test = source.graph.tests.iter().any(|id| source.graph.files[*id] == file);
    let simulates = file.starts_with("gateway/src/simulation/") || file.contains("/simulated");
    SIMULATED.iter().any(|folder| within(folder)) && (!is_test || simulates)
}

fn is_rust(file: &str) -> bool {
    std::path::Path::new(file).extension().is_some_and(|extension| extension == "rs")
}

fn is_excused(lines: &[&str], line: usize) -> bool {
    let says_why = |text: &str| text.split_once(EXCUSE).is_some_and(|(_, why)| !why.trim().is_empty());
    let here = lines.get(line - 1).is_some_and(|text| says_why(text));
    here || line.checked_sub(2).and_then(|above| lines.get(above)).is_some_and(|text| text.trim_start().starts_with("//") && says_why(text))
}

fn finding(file: &str, found: &Iteration) -> Finding {
    Finding {
        file: file.to_owned(),
        line: found.line,
        rule: RULE,
        what: format!("`{}` is a hash map or set, and is iterated ({})", found.name, found.how),
        remedy: format!("use a BTreeMap, an IndexMap or a sorted list; or say above it `{EXCUSE}…`, why the order has no effect"),
    }
}
