//! From one file's syntax to names and paths.

use super::{
    attributes::{self, is_test},
    module::{Binding, Glob, Module, ModuleId, Named, PathUse, Spaces, Workspace},
    tokens::{self, name},
};
use proc_macro2::{Span, TokenStream};
use std::{collections::HashSet, mem, rc::Rc};
use syn::{
    Attribute, Block, Expr, ExprCall, ExprPath, File, ImplItem, Item, ItemFn, ItemMacro, ItemMod, ItemUse, LitStr, Macro, Meta, Pat,
    PatIdent, PatTupleStruct, Path, Signature, Stmt, TraitItem, UseTree, VisRestricted, Visibility,
    visit::{self, Visit},
};

/// `mod name;`: its file is still to be read.
pub(super) struct Declared {
    /// The module that the file belongs to.
    pub(super) module: ModuleId,
    /// Its name.
    pub(super) name: String,
    /// Modules with their body in this file that are around the declaration.
    pub(super) inside: Vec<String>,
    /// What `#[path]` says.
    pub(super) path: Option<String>,
}

/// Puts the file's names and paths into the workspace; answers the modules whose files are to be read next.
pub(super) fn file(workspace: &mut Workspace, module: ModuleId, file: &File) -> Vec<Declared> {
    let test = workspace.modules[module].test || is_test(&file.attrs);
    workspace.modules[module].test = test;
    let mut collector = Collector { workspace, scope: module, test, locals: HashSet::new(), inside: Vec::new(), declared: Vec::new() };
    collector.visit_file(file);
    collector.declared
}

struct Collector<'a> {
    workspace: &'a mut Workspace,
    scope: ModuleId,
    test: bool,
    /// Variables of the function around.
    locals: HashSet<String>,
    inside: Vec<String>,
    declared: Vec<Declared>,
}

impl Collector<'_> {
    fn bind(&mut self, word: &syn::Ident, target: Named, spaces: Spaces, visibility: &Visibility) {
        let visible = self.visible(visibility);
        self.workspace.modules[self.scope].names.entry(name(word)).or_default().push(Binding { target, spaces, visible });
    }

    fn item(&mut self, word: &syn::Ident, spaces: Spaces, visibility: &Visibility) {
        self.bind(word, Named::Item(Rc::default()), spaces, visibility);
    }

    fn visible(&self, visibility: &Visibility) -> Option<ModuleId> {
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
                        // `pub(crate)` and `pub(in crate::…)`: wider than needed does no harm.
                        _ => return Some(root),
                    }
                }
                Some(at)
            }
        }
    }

    fn child(&mut self, word: Option<&syn::Ident>, test: bool) -> ModuleId {
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

    fn used(&mut self, segments: Vec<String>, span: Span, spaces: Spaces, guess: bool) {
        let (scope, test) = (self.scope, self.test);
        self.workspace.uses.push(PathUse { scope, segments, line: span.start().line, spaces, test, guess });
    }

    fn path(&mut self, path: &Path, spaces: Spaces) {
        let mut segments: Vec<_> = path.segments.iter().map(|segment| name(&segment.ident)).collect();
        if segments.first().is_some_and(|first| first == "Self") {
            return;
        }
        if path.leading_colon.is_some() {
            segments.insert(0, String::new());
        }
        let Some(first) = path.segments.first() else { return };
        self.used(segments, first.ident.span(), spaces, false);
    }

    fn tokens(&mut self, tokens: TokenStream) {
        for guess in tokens::paths(tokens) {
            let local = matches!(&guess.segments[..], [word] if self.locals.contains(word));
            if !local {
                let (scope, test) = (self.scope, self.test);
                self.workspace.uses.push(PathUse {
                    scope,
                    segments: guess.segments,
                    line: guess.line,
                    spaces: guess.spaces,
                    test,
                    guess: true,
                });
            }
        }
    }

    fn import(&mut self, tree: &UseTree, mut path: Vec<String>, visibility: &Visibility) {
        let private = matches!(visibility, Visibility::Inherited);
        match tree {
            UseTree::Path(at) => {
                path.push(name(&at.ident));
                self.import(&at.tree, path, visibility);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone(), visibility);
                }
            }
            UseTree::Glob(_) => {
                let visible = self.visible(visibility);
                self.workspace.modules[self.scope].globs.push(Glob { path, visible });
            }
            UseTree::Name(at) if at.ident == "self" && !path.is_empty() => {
                if let Some(last) = path.last().cloned() {
                    self.imported(&syn::Ident::new(&last, at.ident.span()), path, visibility, private);
                }
            }
            UseTree::Name(at) => {
                path.push(name(&at.ident));
                self.imported(&at.ident, path, visibility, private);
            }
            UseTree::Rename(at) => {
                if at.ident != "self" || path.is_empty() {
                    path.push(name(&at.ident));
                }
                self.imported(&at.rename, path, visibility, private);
            }
        }
    }

    fn imported(&mut self, word: &syn::Ident, path: Vec<String>, visibility: &Visibility, private: bool) {
        if private {
            self.used(path.clone(), word.span(), Spaces::ALL, false);
        }
        if word != "_" {
            self.bind(word, Named::Import(path), Spaces::ALL, visibility);
        }
    }

    /// Declares an item's name.
    fn declare(&mut self, item: &Item) {
        let both = Spaces::TYPE.and(Spaces::VALUE);
        match item {
            Item::Const(item) => self.item(&item.ident, Spaces::VALUE, &item.vis),
            Item::Static(item) => self.item(&item.ident, Spaces::VALUE, &item.vis),
            Item::Fn(item) => self.item(&item.sig.ident, Spaces::VALUE, &item.vis),
            Item::Struct(item) => self.item(&item.ident, both, &item.vis),
            Item::Union(item) => self.item(&item.ident, Spaces::TYPE, &item.vis),
            Item::Trait(item) => self.item(&item.ident, Spaces::TYPE, &item.vis),
            Item::TraitAlias(item) => self.item(&item.ident, Spaces::TYPE, &item.vis),
            Item::Type(item) => self.item(&item.ident, Spaces::TYPE, &item.vis),
            Item::Enum(item) => {
                let variants = item.variants.iter().map(|variant| name(&variant.ident)).collect();
                self.bind(&item.ident, Named::Item(Rc::new(variants)), Spaces::TYPE, &item.vis);
            }
            Item::Use(item) => {
                let mut first = Vec::new();
                if item.leading_colon.is_some() {
                    first.push(String::new());
                }
                self.marked(&item.attrs, |this| this.import(&item.tree, first, &item.vis));
            }
            Item::Macro(item) => self.declare_macro(item),
            _ => {}
        }
    }

    fn declare_macro(&mut self, item: &ItemMacro) {
        match &item.ident {
            Some(word) => {
                let visibility = Visibility::Inherited;
                self.item(word, Spaces::MACRO, &visibility);
                if attributes::is_exported(&item.attrs) {
                    let krate = self.workspace.modules[self.scope].krate;
                    let root = self.workspace.crates[krate].root;
                    let path = [vec!["crate".to_owned()], self.workspace.modules[self.scope].path.clone(), vec![name(word)]].concat();
                    if root != self.scope {
                        let binding = Binding { target: Named::Import(path), spaces: Spaces::MACRO, visible: None };
                        self.workspace.modules[root].names.entry(name(word)).or_default().push(binding);
                    }
                }
                // What the macro declares where it is called has its names from here, too.
                let words = tokens::words(item.mac.tokens.clone());
                self.workspace.modules[self.scope].made_by.entry(name(word)).or_default().extend(words);
            }
            None => {
                let words = tokens::words(item.mac.tokens.clone());
                let path = item.mac.path.segments.iter().map(|segment| name(&segment.ident)).collect();
                let module = &mut self.workspace.modules[self.scope];
                module.made.extend(words);
                module.makers.push(path);
            }
        }
    }

    /// Visits with the mark of tests, where the attributes say so.
    fn marked(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let around = self.test;
        self.test |= is_test(attributes);
        visit(self);
        self.test = around;
    }

    /// Visits a function, with its variables known.
    fn function(&mut self, attributes: &[Attribute], signature: &Signature, block: Option<&Block>, visit: impl FnOnce(&mut Self)) {
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

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_file(&mut self, file: &'ast File) {
        for item in &file.items {
            self.declare(item);
        }
        visit::visit_file(self, file);
    }

    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Const(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Enum(item) => &item.attrs,
            Item::Trait(item) => &item.attrs,
            Item::Type(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Macro(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        self.marked(attributes, |this| visit::visit_item(this, item));
    }

    fn visit_item_use(&mut self, _: &'ast ItemUse) {
        // Was read when its names were declared.
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let test = is_test(&item.attrs);
        let child = self.child(Some(&item.ident), test);
        self.bind(&item.ident, Named::Module(child), Spaces::TYPE, &item.vis);
        let Some((_, items)) = &item.content else {
            let (inside, path) = (self.inside.clone(), attributes::path(&item.attrs));
            self.declared.push(Declared { module: child, name: name(&item.ident), inside, path });
            return;
        };
        let around = (mem::replace(&mut self.scope, child), self.test);
        self.test |= test;
        self.inside.push(name(&item.ident));
        for item in items {
            self.declare(item);
        }
        for item in items {
            self.visit_item(item);
        }
        self.inside.pop();
        (self.scope, self.test) = around;
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.attrs, &item.sig, Some(&item.block), |this| visit::visit_item_fn(this, item));
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        match item {
            ImplItem::Fn(method) => {
                self.function(&method.attrs, &method.sig, Some(&method.block), |this| visit::visit_impl_item(this, item))
            }
            _ => visit::visit_impl_item(self, item),
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        match item {
            TraitItem::Fn(method) => {
                self.function(&method.attrs, &method.sig, method.default.as_ref(), |this| visit::visit_trait_item(this, item));
            }
            _ => visit::visit_trait_item(self, item),
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let items: Vec<_> = block.stmts.iter().filter_map(|stmt| if let Stmt::Item(item) = stmt { Some(item) } else { None }).collect();
        if items.is_empty() {
            return visit::visit_block(self, block);
        }
        let child = self.child(None, false);
        let around = mem::replace(&mut self.scope, child);
        for item in items {
            self.declare(item);
        }
        visit::visit_block(self, block);
        self.scope = around;
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.path(path, Spaces::TYPE);
        visit::visit_path(self, path);
    }

    fn visit_expr_path(&mut self, expr: &'ast ExprPath) {
        let local = expr.path.get_ident().is_some_and(|word| self.locals.contains(&name(word)));
        if !local {
            self.path(&expr.path, if expr.qself.is_some() { Spaces::TYPE } else { Spaces::VALUE });
        }
        if let Some(qself) = &expr.qself {
            self.visit_qself(qself);
        }
        visit::visit_path(self, &expr.path);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        // Who is called is a function even where a variable has the same name.
        if let Expr::Path(callee) = &*call.func
            && callee.path.get_ident().is_some_and(|word| self.locals.contains(&name(word)))
        {
            self.path(&callee.path, Spaces::VALUE);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_pat_tuple_struct(&mut self, pat: &'ast PatTupleStruct) {
        self.path(&pat.path, Spaces::VALUE);
        visit::visit_path(self, &pat.path);
        for element in &pat.elems {
            self.visit_pat(element);
        }
    }

    fn visit_pat_ident(&mut self, pat: &'ast PatIdent) {
        let text = name(&pat.ident);
        if text.starts_with(char::is_uppercase) {
            self.used(vec![text], pat.ident.span(), Spaces::VALUE, false);
        }
        visit::visit_pat_ident(self, pat);
    }

    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {
        // Names a module, and takes nothing from it.
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        const PLAIN: [&str; 10] = ["doc", "cfg", "cfg_attr", "allow", "expect", "warn", "deny", "path", "must_use", "derive"];
        if PLAIN.iter().any(|plain| attribute.path().is_ident(plain)) {
            return;
        }
        let Meta::List(list) = &attribute.meta else { return };
        self.tokens(list.tokens.clone());
        if attribute.path().is_ident("serde") {
            for (text, span) in tokens::texts(list.tokens.clone()) {
                if let Ok(path) = LitStr::new(&text, span).parse::<Path>() {
                    let segments = path.segments.iter().map(|segment| name(&segment.ident)).collect();
                    self.used(segments, span, Spaces::ALL, true);
                }
            }
        }
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        if !item.path.is_ident("macro_rules") {
            self.path(&item.path, Spaces::MACRO);
        }
        self.tokens(item.tokens.clone());
    }
}

/// Names of variables: patterns in a function.
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
