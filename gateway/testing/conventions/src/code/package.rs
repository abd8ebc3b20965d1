//! Finds packages and their targets in the same way as Cargo.

use crate::tree::Tree;
use std::path::Path;
use toml::{Table, Value};

/// A Cargo package.
#[derive(Clone, Debug)]
pub struct Package {
    /// Name in Cargo.toml.
    pub name: String,
    /// Path of the folder with its Cargo.toml, below the workspace root.
    pub folder: String,
    /// The dependencies. Each is the name that code uses, and the name of the package.
    pub dependencies: Vec<(String, String)>,
    /// The dependencies that only tests use, in the same form.
    pub test_dependencies: Vec<(String, String)>,
    /// The crates of the package.
    pub targets: Vec<Target>,
}

/// One crate of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Path of the root file, below the workspace root.
    pub root: String,
    /// The kind of target.
    pub kind: TargetKind,
}

/// The kind of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A library. Other crates can depend on it.
    Library,
    /// A program, or a build script.
    Binary,
    /// A test, a benchmark, an example or a fuzz target. It is never part of a release.
    Test,
}

impl Package {
    /// All dependencies, including those that only tests use.
    pub fn all_dependencies(&self) -> impl Iterator<Item = &(String, String)> {
        self.dependencies.iter().chain(&self.test_dependencies)
    }
}

/// All packages of the tree.
///
/// # Errors
/// The message names the first Cargo.toml that is not valid TOML.
pub fn packages(tree: &Tree) -> Result<Vec<Package>, String> {
    let mut found = Vec::new();
    for (path, text) in tree.files() {
        let Some(folder) = path.strip_suffix("Cargo.toml") else { continue };
        if !folder.is_empty() && !folder.ends_with('/') {
            continue;
        }
        let table: Table = text.parse().map_err(|error| format!("{path}: {error}"))?;
        let Some(name) = table.get("package").and_then(|package| package.get("name")).and_then(Value::as_str) else { continue };
        found.push(Package {
            name: name.to_owned(),
            folder: folder.trim_end_matches('/').to_owned(),
            dependencies: dependencies(&table, &["dependencies", "build-dependencies"]),
            test_dependencies: dependencies(&table, &["dev-dependencies"]),
            targets: targets(tree, folder, &table),
        });
    }
    Ok(found)
}

fn dependencies(table: &Table, sections: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for section in sections {
        for (name, value) in table.get(*section).and_then(Value::as_table).into_iter().flatten() {
            let package = value.get("package").and_then(Value::as_str).unwrap_or(name);
            found.push((name.replace('-', "_"), package.to_owned()));
        }
    }
    found
}

fn targets(tree: &Tree, folder: &str, table: &Table) -> Vec<Target> {
    let mut found: Vec<Target> = Vec::new();
    let is_fuzz = is_fuzz(table);
    let mut add = |root: String, kind| {
        let kind = if is_fuzz { TargetKind::Test } else { kind };
        if !found.iter().any(|target| target.root == root) {
            found.push(Target { root, kind });
        }
    };
    let sections = [
        ("lib", TargetKind::Library),
        ("bin", TargetKind::Binary),
        ("test", TargetKind::Test),
        ("bench", TargetKind::Test),
        ("example", TargetKind::Test),
    ];
    for (section, kind) in sections {
        let entries = match table.get(section) {
            Some(Value::Array(entries)) => entries.iter().collect(),
            Some(entry) => vec![entry],
            None => vec![],
        };
        for path in entries.iter().filter_map(|entry| entry.get("path")).filter_map(Value::as_str) {
            add(format!("{folder}{path}"), kind);
        }
    }
    for (path, _) in tree.files() {
        if let Some(kind) = path.strip_prefix(folder).and_then(discovered) {
            add(path.to_owned(), kind);
        }
    }
    found
}

/// Whether the package has the mark of cargo-fuzz. Its programs are fuzz targets.
fn is_fuzz(table: &Table) -> bool {
    let metadata = table.get("package").and_then(|package| package.get("metadata"));
    metadata.and_then(|metadata| metadata.get("cargo-fuzz")).and_then(Value::as_bool).unwrap_or_default()
}

/// The kind of target that Cargo infers from a file's path in its package.
fn discovered(path: &str) -> Option<TargetKind> {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["src", "lib.rs"] => Some(TargetKind::Library),
        ["src", "main.rs"] | ["src", "bin", _, "main.rs"] | ["build.rs"] => Some(TargetKind::Binary),
        ["src", "bin", file] if is_rust(file) => Some(TargetKind::Binary),
        ["tests" | "examples" | "benches", _, "main.rs"] => Some(TargetKind::Test),
        ["tests" | "examples" | "benches", file] if is_rust(file) => Some(TargetKind::Test),
        _ => None,
    }
}

fn is_rust(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "rs")
}
