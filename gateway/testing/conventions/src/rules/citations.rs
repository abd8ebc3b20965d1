//! Each rule of `docs/no-loss.md` is cited by the code that follows it, and by a test that checks it.
//!
//! A citation is the number of a rule anywhere in a file, such as NL-0.1. Citations in test code count for tests, all others for code. Test
//! code is a Rust module that only tests compile, or any file in a folder `tests`.

use crate::{finding::Finding, source::Source};
use std::collections::{BTreeMap, BTreeSet};

const RULE: &str = "citations of no-loss rules";
const PAGE: &str = "docs/no-loss.md";
/// Files whose numbers are not citations: pages explain rules, and this crate uses numbers as examples.
const PROSE: [&str; 3] = ["docs/", "gateway/testing/conventions/", "CHANGELOG.md"];

/// A finding for each rule that no code or no test cites, for each citation of a rule that the page does not have, and for each number that
/// two rules have.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    let page = source.tree.get(PAGE).unwrap_or_default();
    let rules = rules(page);
    if rules.is_empty() {
        return vec![finding(PAGE, 0, "the page has no rules".to_owned(), "write each rule as `- **NL-1.2** text`")];
    }
    let (mut by_code, mut by_tests, mut findings) = (BTreeSet::new(), BTreeSet::new(), doubles(page));
    for (file, text) in source.tree.files().filter(|(file, _)| !PROSE.iter().any(|prose| file.starts_with(prose))) {
        let tests_begin = tests_begin(source, file, text);
        for (line, number) in (1..).zip(text.lines()).flat_map(|(line, text)| numbers(text).into_iter().map(move |number| (line, number))) {
            if !rules.contains_key(&number) {
                findings.push(finding(file, line, format!("{PAGE} has no rule {number}"), "cite the number of a rule on that page"));
            }
            let cited = if line >= tests_begin { &mut by_tests } else { &mut by_code };
            cited.insert(number);
        }
    }
    for (number, line) in &rules {
        if !by_code.contains(number) {
            findings.push(finding(
                PAGE,
                *line,
                format!("no code cites {number}"),
                "cite the rule in the code that follows it; if no code follows it, remove the rule",
            ));
        }
        if !by_tests.contains(number) {
            findings.push(finding(
                PAGE,
                *line,
                format!("no test cites {number}"),
                "cite the rule at the test that fails if the code breaks it; if there is no such test, write one",
            ));
        }
    }
    findings
}

/// The numbers of the page's rules, with their lines.
fn rules(page: &str) -> BTreeMap<String, usize> {
    declared(page).map(|(line, number)| (number, line)).collect()
}

fn declared(page: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    (1..).zip(page.lines()).filter_map(|(line, text)| {
        let (number, rule) = text.strip_prefix("- **")?.split_once("** ")?;
        (numbers(number) == [number] && !rule.is_empty()).then(|| (line, number.to_owned()))
    })
}

fn doubles(page: &str) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let again = declared(page).filter(|(_, number)| !seen.insert(number.clone()));
    again
        .map(|(line, number)| finding(PAGE, line, format!("{number} is the number of two rules"), "give the new rule a new number"))
        .collect()
}

/// All numbers of rules in a text, such as `NL-1.2`.
fn numbers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("NL-") {
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
        let rest = &text[at + 3..];
        let section = digits(rest);
        let Some(rule) = rest[section..].strip_prefix('.').map(digits) else { continue };
        if section > 0 && rule > 0 {
            found.push(text[at..at + 4 + section + rule].to_owned());
        }
    }
    found
}

/// The first line of a file's test code. `usize::MAX` if the file has none.
fn tests_begin(source: &Source, file: &str, text: &str) -> usize {
    let only_tests = source.graph.tests.iter().any(|id| source.graph.files[*id] == file);
    if only_tests || file.split('/').any(|folder| folder == "tests") {
        return 1;
    }
    // A test module within a file is the last item of the file.
    let lines: Vec<_> = text.lines().collect();
    let begin = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{'));
    begin.map_or(usize::MAX, |line| line + 1)
}

fn finding(file: &str, line: usize, what: String, remedy: &str) -> Finding {
    Finding { file: file.to_owned(), line, rule: RULE, what, remedy: remedy.to_owned() }
}
