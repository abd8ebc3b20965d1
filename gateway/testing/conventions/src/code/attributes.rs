//! Reads attributes of items, for example whether only tests compile the item, and where the file of a module is.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Expr, Lit, Meta};

/// Whether only tests compile the item: it has `cfg(test)`, or a `cfg` with the feature `testing`, which no release has, or it is a test.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => asks_for_test(list.tokens.clone()),
        Meta::Path(path) => path.is_ident("test") || path.segments.last().is_some_and(|last| last.ident == "test"),
        Meta::List(list) => list.path.segments.last().is_some_and(|last| last.ident == "test"),
        Meta::NameValue(_) => false,
    })
}

/// Whether a `cfg` with these tokens requires tests. Ignores what follows `not`.
pub(super) fn asks_for_test(tokens: TokenStream) -> bool {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "not" => {
                tokens.next();
            }
            TokenTree::Ident(word) if word == "test" => return true,
            TokenTree::Literal(literal) if literal.to_string() == "\"testing\"" => return true,
            TokenTree::Group(group) if asks_for_test(group.stream()) => return true,
            _ => {}
        }
    }
    false
}

/// The path in `#[path = "…"]`.
pub(super) fn path(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}

/// Whether other crates can use the macro (`#[macro_export]`).
pub(super) fn is_exported(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("macro_export"))
}

/// Whether the module around it can use the macros of a module by their bare names (`#[macro_use]`).
pub(super) fn shares_macros(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("macro_use"))
}
