//! Files and folders are small, and each file begins with a comment that explains it.
//!
//! Outside tests, a file has at most 450 lines, and a folder at most 12 Rust files. A `mod.rs` that declares modules has fewer than 80
//! lines, not counting its `//!` comment. Every file begins with a `//!` sentence. `exceptions.toml` lists the exceptions, with their
//! reasons.

use crate::{finding::Finding, source::Source};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

const RULE: &str = "sizes";
const EXCEPTIONS: &str = "gateway/testing/conventions/exceptions.toml";

/// Largest number of lines of a file.
const FILE: usize = 450;
/// A `mod.rs` that declares modules must have fewer lines.
const WIRING: usize = 80;
/// Largest number of Rust files in a folder.
const FOLDER: usize = 12;

/// A finding for each file or folder that is too large, for each file that does not begin with a `//!` sentence, and for each wrong
/// exception.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    let exceptions = match source.tree.get(EXCEPTIONS).unwrap_or_default().parse::<Table>() {
        Ok(table) => table,
        Err(error) => return vec![finding(EXCEPTIONS, &error.to_string(), "correct the TOML")],
    };
    let files = outside_tests(source);
    let mut findings: Vec<_> = files.iter().filter_map(|(file, text)| too_long(file, text)).collect();
    findings.extend(files.iter().filter_map(|(file, text)| without_head(file, text)));
    findings.extend(but_for(&exceptions, "long", too_long_for_wiring(source, &files)));
    findings.extend(but_for(&exceptions, "wide", too_wide(&files)));
    findings
}

/// Path and text of the Rust files that not only tests compile.
fn outside_tests(source: &Source) -> BTreeMap<&str, &str> {
    let graph = &source.graph;
    let files = graph.files.iter().enumerate().filter(|(id, _)| !graph.tests.contains(id));
    files.filter_map(|(_, file)| Some((file.as_str(), source.tree.get(file)?))).collect()
}

fn too_long(file: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    (lines > FILE)
        .then(|| finding(file, &format!("{lines} lines; at most {FILE} are allowed"), "split it into parts that use little of each other"))
}

/// Files that declare modules whose code is in other files, outside tests.
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
    let remedy = "write in one sentence what the file contains; in a `mod.rs`, what belongs in the folder and what does not";
    (!text.starts_with("//! ")).then(|| finding(file, "does not begin with a `//!` sentence", remedy))
}

fn too_long_for_wiring<'a>(source: &'a Source, files: &BTreeMap<&'a str, &'a str>) -> BTreeMap<&'a str, Finding> {
    let wiring = parents(source).into_iter().filter(|file| file.ends_with("/mod.rs"));
    let long = wiring.filter_map(|file| {
        let lines = files.get(file)?.lines().filter(|line| !line.starts_with("//!")).count();
        let what = format!("has {lines} lines without its module comment; a `mod.rs` must have fewer than {WIRING}");
        (lines >= WIRING).then(|| (file, finding(file, &what, "move its definitions into modules of their own, and re-export them")))
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
        let what = format!("{count} files, not counting tests; at most {FOLDER} are allowed");
        (
            folder,
            finding(
                folder,
                &what,
                &format!("group them into folders, or add the folder to {EXCEPTIONS} and say why all its files are of one kind"),
            ),
        )
    })
    .collect()
}

/// Removes the findings that the exceptions of a kind allow. Adds a finding for each exception that is not needed or has no reason.
fn but_for(exceptions: &Table, kind: &str, mut findings: BTreeMap<&str, Finding>) -> Vec<Finding> {
    let mut needless = Vec::new();
    for (path, reason) in exceptions.get(kind).and_then(Value::as_table).into_iter().flatten() {
        if findings.remove(path.as_str()).is_none() {
            needless.push(finding(EXCEPTIONS, &format!("`{path}` does not need its exception in `{kind}`"), "remove the exception"));
        } else if reason.as_str().is_none_or(str::is_empty) {
            needless.push(finding(
                EXCEPTIONS,
                &format!("the exception for `{path}` has no reason"),
                "write why splitting the file or folder would make the code worse",
            ));
        }
    }
    findings.into_values().chain(needless).collect()
}

fn finding(file: &str, what: &str, remedy: &str) -> Finding {
    Finding { file: file.to_owned(), line: 0, rule: RULE, what: what.to_owned(), remedy: remedy.to_owned() }
}
