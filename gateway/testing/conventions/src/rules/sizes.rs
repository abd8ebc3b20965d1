//! Files and folders stay small, and say what belongs in them.
//!
//! Outside tests no file has more than 450 lines, and no folder more than 12 Rust files. A `mod.rs` that declares modules wires them: it has less than
//! 80 lines, its head not counted. Every file begins with a `//!` sentence. `exceptions.toml` lists what is let be, with reasons.

use crate::{finding::Finding, source::Source};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

const RULE: &str = "sizes";
const EXCEPTIONS: &str = "gateway/testing/conventions/exceptions.toml";

/// Most lines of a file.
const FILE: usize = 450;
/// A `mod.rs` that wires has fewer lines.
const WIRING: usize = 80;
/// Most files of a folder.
const FOLDER: usize = 12;

/// A finding for each file and folder that is too large, or says nothing of itself.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    let exceptions = match source.tree.get(EXCEPTIONS).unwrap_or_default().parse::<Table>() {
        Ok(table) => table,
        Err(error) => return vec![finding(EXCEPTIONS, &error.to_string(), "mend it")],
    };
    let files = outside_tests(source);
    let mut findings: Vec<_> = files.iter().filter_map(|(file, text)| too_long(file, text)).collect();
    findings.extend(files.iter().filter_map(|(file, text)| without_head(file, text)));
    findings.extend(but_for(&exceptions, "long", too_long_for_wiring(source, &files)));
    findings.extend(but_for(&exceptions, "wide", too_wide(&files)));
    findings
}

/// Rust files that are not for tests only.
fn outside_tests(source: &Source) -> BTreeMap<&str, &str> {
    let graph = &source.graph;
    let files = graph.files.iter().enumerate().filter(|(id, _)| !graph.tests.contains(id));
    files.filter_map(|(_, file)| Some((file.as_str(), source.tree.get(file)?))).collect()
}

fn too_long(file: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    (lines > FILE)
        .then(|| finding(file, &format!("{lines} lines, of {FILE} at most"), "split it where its parts know little of each other"))
}

/// Files that have modules in other files below them, outside tests.
fn parents(source: &Source) -> BTreeSet<&str> {
    let code = &source.code;
    let children = code.modules.iter().filter(|module| !module.test && !module.block);
    let parents = children.filter_map(|module| {
        let around = module.parent?;
        (code.modules[around].file != module.file).then(|| code.files[code.modules[around].file].as_str())
    });
    parents.collect()
}

fn without_head(file: &str, text: &str) -> Option<Finding> {
    let remedy = "say in one sentence what is in it; for a folder, what belongs there and what does not";
    (!text.starts_with("//! ")).then(|| finding(file, "does not begin with a `//!` sentence", remedy))
}

fn too_long_for_wiring<'a>(source: &'a Source, files: &BTreeMap<&'a str, &'a str>) -> BTreeMap<&'a str, Finding> {
    let wiring = parents(source).into_iter().filter(|file| file.ends_with("/mod.rs"));
    let long = wiring.filter_map(|file| {
        let lines = files.get(file)?.lines().filter(|line| !line.starts_with("//!")).count();
        let what = format!("wires modules in {lines} lines without its head; it should have less than {WIRING}");
        (lines >= WIRING).then(|| (file, finding(file, &what, "move what it declares into modules of its own, and re-export it")))
    });
    long.collect()
}

fn too_wide<'a>(files: &BTreeMap<&'a str, &str>) -> BTreeMap<&'a str, Finding> {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for (folder, _) in files.keys().filter_map(|file| file.rsplit_once('/')) {
        *folders.entry(folder).or_default() += 1;
    }
    let wide = folders.into_iter().filter(|(_, count)| *count > FOLDER);
    wide.map(|(folder, count)| {
        let what = format!("{count} files beside tests, of {FOLDER} at most");
        (folder, finding(folder, &what, &format!("group them into folders, or say in {EXCEPTIONS} that all are of one kind")))
    })
    .collect()
}

/// Takes out what the exceptions of a kind name, and adds exceptions that nothing needs, or that have no reason.
fn but_for(exceptions: &Table, kind: &str, mut findings: BTreeMap<&str, Finding>) -> Vec<Finding> {
    let mut needless = Vec::new();
    for (path, reason) in exceptions.get(kind).and_then(Value::as_table).into_iter().flatten() {
        if findings.remove(path.as_str()).is_none() {
            needless.push(finding(EXCEPTIONS, &format!("`{path}` needs no exception from `{kind}`"), "take it out"));
        } else if reason.as_str().is_none_or(str::is_empty) {
            needless.push(finding(EXCEPTIONS, &format!("`{path}` has no reason"), "say why splitting would make it worse"));
        }
    }
    findings.into_values().chain(needless).collect()
}

fn finding(file: &str, what: &str, remedy: &str) -> Finding {
    Finding { file: file.to_owned(), line: 0, rule: RULE, what: what.to_owned(), remedy: remedy.to_owned() }
}
