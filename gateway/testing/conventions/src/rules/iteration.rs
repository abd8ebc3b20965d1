//! Code that the simulation runs does not iterate over hash maps and sets. Their order differs from run to run, so the same seed would not
//! repeat a failure.
//!
//! The check reads syntax only. It knows the fields, arguments, variables and return values that are declared as `HashMap` or `HashSet`.
//! Fields of files in the same folder, or in a folder above or below, are also known. These iterations are allowed:
//!
//! - over a type with a hasher whose order is fixed while tests run;
//! - with a comment `// Any order: why` on the same line or the line above, if the order has no effect;
//! - in code that only tests compile, except the simulation itself.

mod declared;
mod walk;

use crate::{finding::Finding, source::Source};
use declared::Declared;
use walk::Iteration;

const RULE: &str = "no iteration over hash maps";
const EXCUSE: &str = "// Any order: ";

/// The folders whose code the simulation runs, except for the parts that it replaces.
pub const SIMULATED: [&str; 14] = [
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
    "gateway/src/queues/owner",
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

/// Whether both files are in the same folder, or the folder of one contains the other.
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
        what: format!("iterates over `{}`, a hash map or set ({})", found.name, found.how),
        remedy: format!("use a BTreeMap, an IndexMap or a sorted list; if the order has no effect, write `{EXCUSE}why` on the line above"),
    }
}
