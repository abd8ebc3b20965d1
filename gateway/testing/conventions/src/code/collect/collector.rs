//! The state of the walk through one file. It adds names and paths to the workspace.

use crate::code::{
    attributes::is_test,
    module::{Binding, By, Module, ModuleId, Named, PathUse, Spaces, Workspace},
    tokens::{self, Guess, name},
};
use proc_macro2::{Span, TokenStream};
use std::{collections::HashSet, sync::Arc};
use syn::{
    Attribute, Block, Pat, Path, Signature, Visibility,
    visit::{self, Visit},
};

/// A declaration `mod name;`. The module's file is not read yet.
pub(crate) struct Declared {
    /// The declared module.
    pub(crate) module: ModuleId,
    /// Name of the module.
    pub(crate) name: String,
    /// Names of the inline modules around the declaration, from the outermost to the innermost.
    pub(crate) inside: Vec<String>,
    /// The path in `#[path]`, if the declaration has one.
    pub(crate) path: Option<String>,
}

/// The state of the walk through one file.
pub(super) struct Collector<'a> {
    pub(super) workspace: &'a mut Workspace,
    /// The module or block around the current place.
    pub(super) scope: ModuleId,
    /// Whether only tests compile the current place.
    pub(super) test: bool,
    /// Variables of the functions around the current place.
    pub(super) locals: HashSet<String>,
    /// As [`Declared::inside`].
    pub(super) inside: Vec<String>,
    pub(super) declared: Vec<Declared>,
}

impl Collector<'_> {
    /// Adds a name to the current scope.
    pub(super) fn bind(&mut self, word: &syn::Ident, target: Named, spaces: Spaces, visibility: &Visibility) {
        let visible = self.visible(visibility);
        self.workspace.modules[self.scope].names.entry(name(word)).or_default().push(Binding { target, spaces, visible });
    }

    pub(super) fn item(&mut self, word: &syn::Ident, spaces: Spaces, visibility: &Visibility) {
        self.bind(word, Named::Item(Arc::default()), spaces, visibility);
    }

    pub(super) fn visible(&self, visibility: &Visibility) -> Option<ModuleId> {
        let here = self.workspace.enclosing(self.scope);
        match visibility {
            Visibility::Public(_) => None,
            Visibility::Inherited => Some(here),
            Visibility::Restricted(restricted) => {
                let krate = self.workspace.modules[here].krate;
                let root = self.workspace.crates.get(krate).map_or(here, |krate| krate.root);
                let mut at = here;
                for segment in &restricted.path.segments {
                    match segment.ident.to_string().as_str() {
                        "self" => {}
                        "super" => at = self.workspace.parent(at).unwrap_or(at),
                        // `pub(crate)` and `pub(in crate::…)` count as visible in the whole crate. A wider visibility does no harm here.
                        _ => return Some(root),
                    }
                }
                Some(at)
            }
        }
    }

    pub(super) fn child(&mut self, word: Option<&syn::Ident>, test: bool) -> ModuleId {
        let around = &self.workspace.modules[self.scope];
        let mut path = around.path.clone();
        path.extend(word.map(name));
        let child = Module {
            krate: around.krate,
            parent: Some(self.scope),
            block: word.is_none(),
            path,
            file: around.file,
            test: test || self.test,
            ..Module::default()
        };
        self.workspace.modules.push(child);
        self.workspace.modules.len() - 1
    }

    pub(super) fn used(&mut self, segments: Vec<String>, span: Span, spaces: Spaces, by: By) {
        let (scope, test) = (self.scope, self.test);
        self.workspace.uses.push(PathUse { scope, segments, line: span.start().line, spaces, test, by });
    }

    pub(super) fn path(&mut self, path: &Path, spaces: Spaces) {
        let mut segments: Vec<_> = path.segments.iter().map(|segment| name(&segment.ident)).collect();
        if segments.first().is_some_and(|first| first == "Self") {
            return;
        }
        if path.leading_colon.is_some() {
            segments.insert(0, String::new());
        }
        let Some(first) = path.segments.first() else { return };
        self.used(segments, first.ident.span(), spaces, By::Code);
    }

    pub(super) fn tokens(&mut self, tokens: TokenStream) {
        for Guess { segments, line, spaces, test } in tokens::paths(tokens) {
            let local = matches!(&segments[..], [word] if self.locals.contains(word));
            if !local {
                let (scope, test) = (self.scope, test || self.test);
                self.workspace.uses.push(PathUse { scope, segments, line, spaces, test, by: By::Tokens });
            }
        }
    }

    /// Runs `visit`. Marks what it finds as test code if the attributes say so.
    pub(super) fn marked(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let around = self.test;
        self.test |= is_test(attributes);
        visit(self);
        self.test = around;
    }

    /// Runs `visit` for a function, with the function's variables in `locals`.
    pub(super) fn function(
        &mut self,
        attributes: &[Attribute],
        signature: &Signature,
        block: Option<&Block>,
        visit: impl FnOnce(&mut Self),
    ) {
        let mut variables = Variables(HashSet::new());
        variables.visit_signature(signature);
        if let Some(block) = block {
            variables.visit_block(block);
        }
        let around = self.locals.clone();
        self.locals.extend(variables.0);
        self.marked(attributes, visit);
        self.locals = around;
    }
}

/// Collects the names of variables from the patterns of a function.
struct Variables(HashSet<String>);

impl<'ast> Visit<'ast> for Variables {
    fn visit_pat(&mut self, pat: &'ast Pat) {
        if let Pat::Ident(pat) = pat {
            let text = name(&pat.ident);
            if !text.starts_with(char::is_uppercase) {
                self.0.insert(text);
            }
        }
        visit::visit_pat(self, pat);
    }
}
