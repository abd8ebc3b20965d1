//! No file uses a word that `forbidden_words.toml` forbids there.

mod list;

use crate::{finding::Finding, source::Source, words::parts};
use list::{Entry, Scope};
use proc_macro2::{TokenStream, TokenTree};
use std::{collections::BTreeMap, path::Path};

const RULE: &str = "plain words";
const LIST: &str = "gateway/testing/conventions/forbidden_words.toml";
/// The list itself, and files with text of others.
const LEFT_OUT: [&str; 4] = ["forbidden_words.toml", "LICENSE", "Cargo.lock", "package-lock.json"];

/// A finding for each entry of the list and each file that must not use it but does, and for each wrong exception.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    let entries = match list::read(source.tree.get(LIST).unwrap_or_default()) {
        Ok(entries) => entries,
        Err(problem) => return vec![finding(LIST, 0, problem, "correct the list; the comment at its top explains the keys".to_owned())],
    };
    let mut seen: Vec<BTreeMap<&str, Vec<Hit>>> = entries.iter().map(|_| BTreeMap::new()).collect();
    let written = source.tree.files().filter(|(file, _)| !LEFT_OUT.iter().any(|left_out| file.ends_with(left_out)));
    for (file, text) in written {
        look(file, text, |scope, hit| {
            for (entry, seen) in entries.iter().zip(&mut seen) {
                if scope <= entry.scope && entry.words.contains(&hit.word) {
                    seen.entry(file).or_default().push(hit.clone());
                }
            }
        });
    }
    entries.iter().zip(&seen).flat_map(|(entry, seen)| findings(entry, seen)).collect()
}

/// One place where a word is used. Line 0 is the path of the file.
#[derive(Clone)]
struct Hit {
    line: usize,
    word: String,
}

/// Calls `each` for every word of a file's path, names and text.
fn look(file: &str, text: &str, mut each: impl FnMut(Scope, Hit)) {
    for word in parts(file) {
        each(Scope::Files, Hit { line: 0, word });
    }
    if Path::new(file).extension().is_some_and(|extension| extension == "rs")
        && let Ok(tokens) = text.parse::<TokenStream>()
    {
        names(tokens, &mut |line, name| parts(name).into_iter().for_each(|word| each(Scope::Names, Hit { line, word })));
    }
    for (line, content) in (1..).zip(text.lines()) {
        for word in parts(content) {
            each(Scope::Everywhere, Hit { line, word });
        }
    }
}

/// Calls `each` with the line of every name in the code. Comments and literals contain no names.
fn names(tokens: TokenStream, each: &mut impl FnMut(usize, &str)) {
    for token in tokens {
        match token {
            TokenTree::Ident(name) => each(name.span().start().line, &name.to_string()),
            TokenTree::Group(group) => names(group.stream(), each),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn findings(entry: &Entry, seen: &BTreeMap<&str, Vec<Hit>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, hits) in seen.iter().filter(|(file, _)| !entry.allows(file)) {
        findings.push(forbidden(entry, file, hits));
    }
    for place in &entry.allowed {
        let needed = seen.keys().any(|file| place.holds(file));
        let why = if needed { "has no reason for using" } else { "does not use" };
        if !needed || place.reason.is_empty() {
            let what = format!("`{}` {why} {}", place.path, entry.name());
            findings.push(finding(LIST, 0, what, "remove it from `allowed`, or write the reason".to_owned()));
        }
    }
    findings
}

fn forbidden(entry: &Entry, file: &str, hits: &[Hit]) -> Finding {
    let mut lines: Vec<_> = hits.iter().map(|hit| hit.line).collect();
    lines.sort_unstable();
    lines.dedup();
    let first = lines[0];
    let places: Vec<_> = lines.iter().map(|line| if *line == 0 { "the file's path".to_owned() } else { line.to_string() }).collect();
    let what = format!("\"{}\" in {}", hits[0].word, places.join(", "));
    finding(file, first, what, format!("write instead: {}", entry.instead))
}

fn finding(file: &str, line: usize, what: String, remedy: String) -> Finding {
    Finding { file: file.to_owned(), line, rule: RULE, what, remedy }
}
