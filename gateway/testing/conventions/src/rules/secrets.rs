//! No type prints a secret. A field whose name says that it is one, such as `token`, is no text if `Debug` of its type is derived.
//!
//! The check reads syntax only. Code that only tests compile may print what it likes.

use crate::{finding::Finding, source::Source};
use syn::{
    Attribute, Fields, GenericArgument, ItemEnum, ItemMod, ItemStruct, Meta, PathArguments, Type,
    visit::{self, Visit},
};

const RULE: &str = "no printed secrets";

/// Names of fields with secrets, and the ends of such names.
const SECRET: [&str; 5] = ["token", "secret", "password", "passcode", "api_key"];

/// A finding for each field that is a secret, a text, and printed.
#[must_use]
pub fn check(source: &Source) -> Vec<Finding> {
    let is_test = |file: &str| source.graph.tests.iter().any(|id| source.graph.files[*id] == file);
    let is_rust = |file: &str| std::path::Path::new(file).extension().is_some_and(|extension| extension == "rs");
    let mut findings = Vec::new();
    for (file, text) in source.tree.files().filter(|(file, _)| is_rust(file) && !is_test(file)) {
        let Ok(parsed) = syn::parse_file(text) else { continue };
        let mut printed = Printed::default();
        printed.visit_file(&parsed);
        findings.extend(printed.0.into_iter().map(|(line, field)| Finding {
            file: file.to_owned(),
            line,
            rule: RULE,
            what: format!("derives Debug, which prints the field `{field}`"),
            remedy: "make the field a `Secret` (shared_proto::secret) or a `SecretString`, or write Debug by hand without it".into(),
        }));
    }
    findings
}

/// The secret fields that are printed: line and name.
#[derive(Default)]
struct Printed(Vec<(usize, String)>);

impl Printed {
    fn add(&mut self, fields: &Fields) {
        let named = fields.iter().filter_map(|field| Some((field.ident.as_ref()?, &field.ty)));
        let found = named.filter(|(name, of)| is_secret(&name.to_string()) && is_text(of));
        self.0.extend(found.map(|(name, _)| (name.span().start().line, name.to_string())));
    }
}

impl<'ast> Visit<'ast> for Printed {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !item.attrs.iter().any(|attribute| words(attribute, "cfg").any(|word| word == "test")) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        if is_printed(&item.attrs) {
            self.add(&item.fields);
        }
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        if is_printed(&item.attrs) {
            item.variants.iter().for_each(|variant| self.add(&variant.fields));
        }
    }
}

/// Whether `Debug` is derived. The derive of prost's `Message` does that too.
fn is_printed(attributes: &[Attribute]) -> bool {
    let has = |name, wanted: &str| attributes.iter().any(|attribute| words(attribute, name).any(|word| word == wanted));
    has("derive", "Debug") || has("derive", "prost") && !has("prost", "skip_debug")
}

/// The words in an attribute of this name.
fn words<'a>(attribute: &'a Attribute, name: &str) -> impl Iterator<Item = String> + use<'a> {
    let list = match &attribute.meta {
        Meta::List(list) if list.path.is_ident(name) => list.tokens.to_string(),
        _ => String::new(),
    };
    let words: Vec<_> = list.split(|c: char| !c.is_alphanumeric() && c != '_').map(String::from).collect();
    words.into_iter()
}

fn is_secret(name: &str) -> bool {
    let name = name.strip_suffix('s').unwrap_or(name);
    SECRET.iter().any(|secret| name.strip_suffix(secret).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')))
}

/// Whether a type is a text, or has texts in it, such as `Option<Box<str>>`.
fn is_text(of: &Type) -> bool {
    match of {
        Type::Reference(of) => is_text(&of.elem),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let inner = if let PathArguments::AngleBracketed(of) = &last.arguments { of.args.iter().collect() } else { Vec::new() };
            let has_text = |inner: &&GenericArgument| if let GenericArgument::Type(of) = inner { is_text(of) } else { false };
            last.ident == "String" || last.ident == "str" || inner.iter().any(has_text)
        }),
        _ => false,
    }
}
