//! Resolves paths to the files that define the named items. Follows imports, re-exports and globs.

use super::module::{Binding, FileId, ModuleId, Named, PathUse, Spaces, Workspace};
use std::{collections::HashSet, sync::Arc};

/// What a path leads to.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// A module. A path that only names a module uses nothing from its file.
    Module(ModuleId),
    /// An item of a file. Contains the names of its variants if it is an enum.
    Item(FileId, Arc<HashSet<String>>),
    /// An item of a crate outside the workspace. Contains the name of that crate.
    Outside(String),
}

/// Look-ups that are in progress. A look-up that leads back to itself finds itself here and ends.
type Pending = HashSet<(ModuleId, String, Spaces)>;

/// Everything that the path can name. Empty if it names nothing that is known.
pub(super) fn resolve(workspace: &Workspace, path: &PathUse) -> Vec<Found> {
    Resolver { workspace, pending: Pending::new() }.path(path.scope, &path.segments, path.spaces)
}

struct Resolver<'a> {
    workspace: &'a Workspace,
    pending: Pending,
}

impl Resolver<'_> {
    fn path(&mut self, scope: ModuleId, segments: &[String], spaces: Spaces) -> Vec<Found> {
        let here = self.workspace.enclosing(scope);
        let Some((first, mut rest)) = segments.split_first() else { return vec![Found::Module(here)] };
        let space_of = |rest: &[String]| if rest.is_empty() { spaces } else { Spaces::TYPE };
        let mut at = match first.as_str() {
            "" => {
                let Some((name, tail)) = rest.split_first() else { return vec![] };
                rest = tail;
                self.external(here, name)
            }
            "crate" => vec![Found::Module(self.root(here))],
            "self" => vec![Found::Module(here)],
            "super" => self.workspace.parent(here).map(Found::Module).into_iter().collect(),
            name => self.lexical(scope, name, space_of(rest)),
        };
        while let Some((name, tail)) = rest.split_first() {
            at = at.into_iter().flat_map(|found| self.below(found, name, space_of(tail), here)).collect();
            rest = tail;
        }
        at
    }

    /// The items with this name inside `found`, as code in the module `from` sees them.
    fn below(&mut self, found: Found, name: &str, spaces: Spaces, from: ModuleId) -> Vec<Found> {
        match found {
            Found::Module(module) if name == "super" => self.workspace.parent(module).map(Found::Module).into_iter().collect(),
            Found::Module(module) if name == "self" => vec![Found::Module(module)],
            Found::Module(module) => self.member(module, name, spaces, from),
            // Variants and associated items count as defined in the file of their type.
            Found::Item(..) | Found::Outside(_) => vec![found],
        }
    }

    /// The items that a path's first segment names.
    fn lexical(&mut self, scope: ModuleId, name: &str, spaces: Spaces) -> Vec<Found> {
        let here = self.workspace.enclosing(scope);
        let mut at = scope;
        loop {
            let found = self.member(at, name, spaces, here);
            if !found.is_empty() {
                return found;
            }
            let module = &self.workspace.modules[at];
            match module.parent {
                Some(parent) if module.block => at = parent,
                _ => break,
            }
        }
        if spaces.meets(Spaces::MACRO)
            && let Some(found) = self.macro_around(here, name)
        {
            return vec![found];
        }
        if spaces.meets(Spaces::TYPE) { self.external(here, name) } else { vec![] }
    }

    /// The macro with this name that the module or a module around it declares. Code can use it by its bare name.
    fn macro_around(&self, module: ModuleId, name: &str) -> Option<Found> {
        let mut at = Some(module);
        while let Some(module) = at {
            let here = &self.workspace.modules[module];
            if let Some(declaring) = [module].iter().chain(&here.macros_of).find(|module| self.declares_macro(**module, name)) {
                return Some(Found::Item(self.workspace.modules[*declaring].file, Arc::default()));
            }
            at = here.parent;
        }
        None
    }

    fn declares_macro(&self, module: ModuleId, name: &str) -> bool {
        let own = |binding: &Binding| binding.spaces == Spaces::MACRO && matches!(binding.target, Named::Item(_));
        self.workspace.modules[module].names.get(name).into_iter().flatten().any(own)
    }

    fn external(&self, module: ModuleId, name: &str) -> Vec<Found> {
        let krate = &self.workspace.crates[self.workspace.modules[module].krate];
        match krate.externs.get(name) {
            Some(root) => vec![Found::Module(*root)],
            None if krate.foreign.contains(name) || matches!(name, "std" | "core" | "alloc") => vec![Found::Outside(name.to_owned())],
            None => vec![],
        }
    }

    /// The items with this name in a module, as code in the module `from` sees them.
    fn member(&mut self, module: ModuleId, name: &str, spaces: Spaces, from: ModuleId) -> Vec<Found> {
        let key = (module, name.to_owned(), spaces);
        if !self.pending.insert(key.clone()) {
            return vec![];
        }
        let mut found = self.named(module, name, spaces, from);
        if found.is_empty() {
            found = self.by_glob(module, name, spaces, from);
        }
        if found.is_empty() && self.is_made(module, name) {
            found = vec![Found::Item(self.workspace.modules[module].file, Arc::default())];
        }
        self.pending.remove(&key);
        found
    }

    fn named(&mut self, module: ModuleId, name: &str, spaces: Spaces, from: ModuleId) -> Vec<Found> {
        let workspace = self.workspace;
        let here = &workspace.modules[module];
        let mut found = Vec::new();
        for binding in here.names.get(name).into_iter().flatten() {
            if !binding.spaces.meets(spaces) || !self.sees(from, binding.visible) {
                continue;
            }
            match &binding.target {
                Named::Module(module) => found.push(Found::Module(*module)),
                Named::Item(variants) => found.push(Found::Item(here.file, variants.clone())),
                Named::Import(path) => found.extend(self.path(module, path, spaces)),
            }
        }
        found
    }

    fn by_glob(&mut self, module: ModuleId, name: &str, spaces: Spaces, from: ModuleId) -> Vec<Found> {
        let workspace = self.workspace;
        let mut found = Vec::new();
        for glob in &workspace.modules[module].globs {
            if !self.sees(from, glob.visible) {
                continue;
            }
            for source in self.path(module, &glob.path, Spaces::TYPE) {
                match source {
                    Found::Module(source) => found.extend(self.member(source, name, spaces, workspace.enclosing(module))),
                    Found::Item(file, variants) if variants.contains(name) => found.push(Found::Item(file, Arc::default())),
                    Found::Item(..) | Found::Outside(_) => {}
                }
            }
        }
        found
    }

    /// Whether a macro call in the module may declare this name.
    fn is_made(&self, module: ModuleId, name: &str) -> bool {
        let here = &self.workspace.modules[module];
        here.made.contains(name)
            || here.makers.iter().filter_map(|path| path.last()).any(|maker| {
                let mut at = Some(module);
                while let Some(module) = at {
                    let around = &self.workspace.modules[module];
                    if let Some(words) = around.made_by.get(maker) {
                        return words.contains(name);
                    }
                    at = around.parent;
                }
                false
            })
    }

    fn root(&self, module: ModuleId) -> ModuleId {
        self.workspace.crates[self.workspace.modules[module].krate].root
    }

    fn sees(&self, from: ModuleId, visible: Option<ModuleId>) -> bool {
        visible.is_none_or(|visible| self.workspace.within(from, visible))
    }
}
