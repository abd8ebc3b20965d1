//! What attributes say about their item: whether only tests compile it, where its file is.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Expr, Lit, Meta};

/// Whether the item is compiled for tests only: by `cfg(test)`, or by the feature `testing`, which no release has.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => asks_for_test(list.tokens.clone()),
        Meta::Path(path) => path.is_ident("test") || path.segments.last().is_some_and(|last| last.ident == "test"),
        Meta::List(list) => list.path.segments.last().is_some_and(|last| last.ident == "test"),
        Meta::NameValue(_) => false,
    })
}

/// Whether the tokens of a `cfg` ask for tests.
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

/// The file that `#[path = "…"]` names.
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

/// Whether a macro can be named from other crates.
pub(super) fn is_exported(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("macro_export"))
}

/// Whether the macros of a module are known around it.
pub(super) fn shares_macros(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("macro_use"))
}
