//! Adds the names of a module: its items, its imports, and the names that macros may declare in it.

use super::collector::Collector;
use crate::code::{
    attributes,
    module::{Binding, By, Glob, Named, Spaces},
    tokens::{self, name},
};
use std::sync::Arc;
use syn::{Ident, Item, ItemMacro, Macro, UseTree, Visibility};

impl Collector<'_> {
    fn import(&mut self, tree: &UseTree, mut path: Vec<String>, visibility: &Visibility) {
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
            UseTree::Glob(star) => {
                self.used(path.clone(), star.star_token.spans[0], Spaces::TYPE, By::Wiring);
                let visible = self.visible(visibility);
                self.workspace.modules[self.scope].globs.push(Glob { path, visible });
            }
            UseTree::Name(at) if at.ident == "self" && !path.is_empty() => {
                if let Some(last) = path.last().cloned() {
                    self.imported(&Ident::new(&last, at.ident.span()), path, visibility);
                }
            }
            UseTree::Name(at) => {
                path.push(name(&at.ident));
                self.imported(&at.ident, path, visibility);
            }
            UseTree::Rename(at) => {
                if at.ident != "self" || path.is_empty() {
                    path.push(name(&at.ident));
                }
                self.imported(&at.rename, path, visibility);
            }
        }
    }

    fn imported(&mut self, word: &Ident, path: Vec<String>, visibility: &Visibility) {
        let by = if matches!(visibility, Visibility::Inherited) { By::Import } else { By::Wiring };
        self.used(path.clone(), word.span(), Spaces::ALL, by);
        if word != "_" {
            self.bind(word, Named::Import(path), Spaces::ALL, visibility);
        }
    }

    /// Adds the name of an item.
    pub(super) fn declare(&mut self, item: &Item) {
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
                self.bind(&item.ident, Named::Item(Arc::new(variants)), Spaces::TYPE, &item.vis);
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
            Some(word) => self.declare_rules(word, item),
            None => self.declare_made(&item.mac),
        }
    }

    /// Adds the name of a macro that `macro_rules!` declares.
    fn declare_rules(&mut self, word: &Ident, item: &ItemMacro) {
        let is_exported = attributes::is_exported(&item.attrs);
        let visibility = if is_exported { Visibility::Public(syn::Token![pub](word.span())) } else { Visibility::Inherited };
        self.item(word, Spaces::MACRO, &visibility);
        let here = &self.workspace.modules[self.scope];
        let root = self.workspace.crates[here.krate].root;
        if is_exported && root != self.scope {
            let path = [vec!["crate".to_owned()], here.path.clone(), vec![name(word)]].concat();
            let binding = Binding { target: Named::Import(path), spaces: Spaces::MACRO, visible: None };
            self.workspace.modules[root].names.entry(name(word)).or_default().push(binding);
        }
        // The items that a call of this macro declares can have names from the macro's body.
        let words = tokens::words(item.mac.tokens.clone());
        self.workspace.modules[self.scope].made_by.entry(name(word)).or_default().extend(words);
    }

    /// A macro call in item position. The items that it declares can have names from the words of the call.
    fn declare_made(&mut self, call: &Macro) {
        let words = tokens::words(call.tokens.clone());
        let path = call.path.segments.iter().map(|segment| name(&segment.ident)).collect();
        let module = &mut self.workspace.modules[self.scope];
        module.made.extend(words);
        module.makers.push(path);
    }
}
