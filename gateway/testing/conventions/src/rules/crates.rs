//! The crates of the workspace use each other only as ARCHITECTURE.md allows.
//!
//! The page has a table under the heading "Crates". Its columns are the crate's name, the crates that it uses, and the crates that only its
//! tests use.

use super::{ARCHITECTURE, fault};
use crate::{
    code::Package,
    finding::Finding,
    markdown::{Row, tables},
    source::Source,
};
use std::collections::BTreeSet;

const RULE: &str = "crates";

/// A finding for each difference between a Cargo.toml and the table.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    let packages = &source.packages;
    let page = source.tree.get(ARCHITECTURE).unwrap_or_default();
    let Some(table) = tables(page).into_iter().find(|table| table.heading == "Crates") else {
        return vec![fault(RULE, 0, "the page has no table of crates", "add one under the heading \"Crates\"")];
    };
    let ours: BTreeSet<_> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut findings = Vec::new();
    for package in packages {
        match table.rows.iter().find(|row| row.code(0).contains(&package.name)) {
            Some(row) => findings.extend(check_package(package, row, &ours)),
            None => findings.push(fault(RULE, table.line, &format!("crate `{}` is in no row", package.name), "add a row for it")),
        }
    }
    for row in &table.rows {
        for name in row.code(0).iter().filter(|name| !ours.contains(name.as_str())) {
            findings.push(fault(RULE, row.line, &format!("there is no crate `{name}`"), "remove the name"));
        }
    }
    findings
}

fn check_package(package: &Package, row: &Row, ours: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let of_ours = |all: &[(String, String)]| -> BTreeSet<_> {
        all.iter().map(|(_, of)| of.clone()).filter(|of| ours.contains(of.as_str())).collect()
    };
    let always = of_ours(&package.dependencies);
    // A crate may list a normal dependency again as a dev-dependency, for example with other features.
    let in_tests = of_ours(&package.test_dependencies).difference(&always).cloned().collect();
    for (cell, used, section) in [(1, always, "dependencies"), (2, in_tests, "dev-dependencies")] {
        let allowed: BTreeSet<_> = row.code(cell).into_iter().collect();
        let file = format!("{}/Cargo.toml", package.folder);
        for name in used.difference(&allowed) {
            let what = format!("`{}` has `{name}` in its {section}, but not in its row in {ARCHITECTURE}", package.name);
            let remedy = "do without the crate, or add it to the row and explain why in the commit message".to_owned();
            findings.push(Finding { file: file.clone(), line: 0, rule: RULE, what, remedy });
        }
        for name in allowed.difference(&used) {
            let what = format!("`{}` has `{name}` in its row, but not in its {section}", package.name);
            findings.push(fault(RULE, row.line, &what, "remove it from the row"));
        }
    }
    findings
}
