//! Walks through the syntax of one file: its modules, its functions, and every path in them.

use super::collector::{Collector, Declared};
use crate::code::{
    attributes::{self, is_test},
    module::{By, ModuleId, Named, Spaces, Workspace},
    tokens::{self, name},
};
use std::{collections::HashSet, mem};
use syn::{
    Attribute, Block, Expr, ExprCall, ExprPath, File, ImplItem, Item, ItemFn, ItemMod, ItemUse, LitStr, Macro, Meta, PatIdent,
    PatTupleStruct, Path, Stmt, TraitItem, VisRestricted,
    visit::{self, Visit},
};

/// Adds the file's names and paths to the workspace. Returns the modules whose files must be read next.
pub(crate) fn file(workspace: &mut Workspace, module: ModuleId, file: &File) -> Vec<Declared> {
    let test = workspace.modules[module].test || is_test(&file.attrs);
    workspace.modules[module].test = test;
    let mut collector = Collector { workspace, scope: module, test, locals: HashSet::new(), inside: Vec::new(), declared: Vec::new() };
    collector.visit_file(file);
    collector.declared
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
        // `declare` has already read the imports.
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let test = is_test(&item.attrs);
        let child = self.child(Some(&item.ident), test);
        self.bind(&item.ident, Named::Module(child), Spaces::TYPE, &item.vis);
        if attributes::shares_macros(&item.attrs) {
            self.workspace.modules[self.scope].macros_of.push(child);
        }
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
                self.function(&method.attrs, &method.sig, Some(&method.block), |this| visit::visit_impl_item(this, item));
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
        // A called name may be a function although a variable has the same name.
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
            self.used(vec![text], pat.ident.span(), Spaces::VALUE, By::Code);
        }
        visit::visit_pat_ident(self, pat);
    }

    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {
        // `pub(in path)` names a module, but uses nothing from its file.
    }

    /// Attributes can contain paths too: `#[serde(with = "path")]`, `#[schema(value_type = Name)]`.
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        const PLAIN: [&str; 9] = ["doc", "cfg", "cfg_attr", "allow", "expect", "warn", "deny", "path", "must_use"];
        if PLAIN.iter().any(|plain| attribute.path().is_ident(plain)) {
            return;
        }
        if attribute.path().segments.len() > 1 {
            self.path(attribute.path(), Spaces::MACRO);
        }
        let Meta::List(list) = &attribute.meta else { return };
        self.tokens(list.tokens.clone());
        if attribute.path().is_ident("serde") {
            for (text, span) in tokens::texts(list.tokens.clone()) {
                if let Ok(path) = LitStr::new(&text, span).parse::<Path>() {
                    let segments = path.segments.iter().map(|segment| name(&segment.ident)).collect();
                    self.used(segments, span, Spaces::ALL, By::Tokens);
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
