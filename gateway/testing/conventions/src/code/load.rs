//! Reads the modules of all crates. Follows the `mod` declarations from the root file of each crate.

use super::{
    collect::{self, Declared},
    module::{Crate, Module, ModuleId, Workspace},
    package::{Package, TargetKind},
};
use crate::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};

/// Reads all crates of the tree.
///
/// # Errors
/// The message names the first file that is missing or is not valid Rust.
pub fn load(tree: &Tree, packages: &[Package]) -> Result<Workspace, String> {
    let mut workspace = Workspace::default();
    let mut libraries = BTreeMap::new();
    for package in packages {
        for target in &package.targets {
            let krate = workspace.crates.len();
            let root = root(&mut workspace, krate, target.kind == TargetKind::Test);
            workspace.crates.push(Crate { package: package.name.clone(), root, externs: BTreeMap::new(), foreign: BTreeSet::new() });
            if target.kind == TargetKind::Library {
                libraries.insert(package.name.clone(), root);
            }
            read(tree, &mut workspace, root, &target.root, folder_of(&target.root).to_owned())?;
        }
    }
    for krate in &mut workspace.crates {
        if let Some(package) = packages.iter().find(|package| package.name == krate.package) {
            krate.externs = externs(package, &libraries);
            krate.foreign =
                package.all_dependencies().filter(|(_, of)| !libraries.contains_key(of)).map(|(name, _)| name.clone()).collect();
        }
    }
    Ok(workspace)
}

fn root(workspace: &mut Workspace, krate: usize, test: bool) -> ModuleId {
    workspace.modules.push(Module { krate, test, ..Module::default() });
    workspace.modules.len() - 1
}

/// The root modules of the workspace's libraries that code of a package can name, including the package's own library.
fn externs(package: &Package, libraries: &BTreeMap<String, ModuleId>) -> BTreeMap<String, ModuleId> {
    let own = (package.name.replace('-', "_"), package.name.clone());
    package.dependencies.iter().chain([&own]).filter_map(|(name, of)| libraries.get(of).map(|root| (name.clone(), *root))).collect()
}

/// Reads the file of a module, and the files of the modules that it declares. Those are in `folder`.
fn read(tree: &Tree, workspace: &mut Workspace, module: ModuleId, file: &str, folder: String) -> Result<(), String> {
    let text = tree.get(file).ok_or_else(|| format!("{file}: the file does not exist"))?;
    let parsed = syn::parse_file(text).map_err(|error| format!("{file}:{}: {error}", error.span().start().line))?;
    let id = workspace.files.iter().position(|known| known == file).unwrap_or_else(|| {
        workspace.files.push(file.to_owned());
        workspace.files.len() - 1
    });
    workspace.modules[module].file = id;
    for Declared { module, name, inside, path } in collect::file(workspace, module, &parsed) {
        let below: String = [folder.as_str()].into_iter().chain(inside.iter().map(String::as_str)).collect::<Vec<_>>().join("/");
        let (file, folder) = if let Some(path) = path {
            let beside = if inside.is_empty() { folder_of(file) } else { &below };
            let file = normal(&format!("{beside}/{path}"));
            let folder = folder_of(&file).to_owned();
            (file, folder)
        } else {
            let folder = format!("{below}/{name}");
            let nested = format!("{folder}/mod.rs");
            (if tree.get(&nested).is_some() { nested } else { format!("{folder}.rs") }, folder)
        };
        read(tree, workspace, module, &file, folder)?;
    }
    Ok(())
}

/// The folder that a file is in.
fn folder_of(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The path with all `.` and `..` resolved.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}
