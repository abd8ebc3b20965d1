//! The hash maps and sets that the types and functions of a file declare.

use std::collections::BTreeSet;
use syn::{
    Field, File, GenericArgument, Ident, ItemEnum, PathArguments, ReturnType, Signature, Type,
    visit::{self, Visit},
};

/// Hashers whose order is fixed while tests run, so that a seed always gives the same order.
const FIXED: [&str; 2] = ["NameHasher", "FixedState"];

/// Names that one or more files declare. "Hash map" stands for hash maps and sets.
#[derive(Clone, Default)]
pub(super) struct Declared {
    /// Fields that are hash maps.
    pub(super) fields: BTreeSet<String>,
    /// Fields that are not hash maps.
    pub(super) others: BTreeSet<String>,
    /// Enum variants whose first value is a hash map.
    pub(super) variants: BTreeSet<String>,
    /// Functions that return a hash map.
    pub(super) makers: BTreeSet<String>,
}

impl Declared {
    pub(super) fn of(file: &File) -> Self {
        let mut declared = Self::default();
        declared.visit_file(file);
        declared
    }

    /// Adds the declarations of another file. Syntax does not show the type that a field belongs to. So fields are added only if the file
    /// is `near`, and only if this file has no other field of that name that is not a hash map.
    pub(super) fn join(&mut self, other: &Self, near: bool) {
        self.variants.extend(other.variants.iter().cloned());
        self.makers.extend(other.makers.iter().cloned());
        if near {
            self.fields.extend(other.fields.difference(&self.others).cloned());
        }
    }
}

impl<'ast> Visit<'ast> for Declared {
    fn visit_field(&mut self, field: &'ast Field) {
        if let Some(name) = &field.ident {
            let fields = if is_hashed(&field.ty) { &mut self.fields } else { &mut self.others };
            fields.insert(name.to_string());
        }
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        for variant in &item.variants {
            if variant.fields.iter().next().is_some_and(|field| field.ident.is_none() && is_hashed(&field.ty)) {
                self.variants.insert(variant.ident.to_string());
            }
        }
        visit::visit_item_enum(self, item);
    }

    fn visit_signature(&mut self, signature: &'ast Signature) {
        if let ReturnType::Type(_, returned) = &signature.output
            && is_hashed(returned)
        {
            self.makers.insert(signature.ident.to_string());
        }
    }
}

/// Whether a type is a hash map or set with a random order, or a wrapper around one, such as `Mutex` or `Option`.
pub(super) fn is_hashed(of: &Type) -> bool {
    const AROUND: [&str; 9] = ["Arc", "Box", "Cell", "Mutex", "Option", "Rc", "RefCell", "Result", "RwLock"];
    let path = match of {
        Type::Reference(of) => return is_hashed(&of.elem),
        Type::Paren(of) => return is_hashed(&of.elem),
        Type::Path(path) => &path.path,
        _ => return false,
    };
    let Some(last) = path.segments.last() else { return false };
    let inner: Vec<_> = match &last.arguments {
        PathArguments::AngleBracketed(of) => {
            of.args.iter().filter_map(|of| if let GenericArgument::Type(of) = of { Some(of) } else { None }).collect()
        }
        _ => Vec::new(),
    };
    if is_hash(&last.ident) {
        return !inner
            .iter()
            .any(|of| matches!(of, Type::Path(of) if of.path.segments.iter().any(|part| FIXED.iter().any(|fixed| part.ident == fixed))));
    }
    AROUND.iter().any(|around| last.ident == around) && inner.first().is_some_and(|of| is_hashed(of))
}

pub(super) fn is_hash(name: &Ident) -> bool {
    name == "HashMap" || name == "HashSet"
}
