//! Tests that a path is resolved to the file that defines the named item.

use crate::{
    planted::{gateway, source, taken},
    workspace::SOURCE,
};
use std::path::Path;

/// The dependencies of a file `user.rs` with the content `text`. Other files define and re-export `Thing`, `Kind`, `LIMIT` and more.
fn user(text: &str) -> Vec<String> {
    taken(&gateway(&[
        ("lib.rs", "pub mod outer;\nmod user;\n#[macro_use]\nmod macros;\npub use outer::Thing as TopThing;"),
        (
            "outer/mod.rs",
            "mod inner;\npub use inner::{deep::{self, *}, Kind, Thing as Alias};\npub use self::inner::Thing;\npub(crate) mod other;",
        ),
        (
            "outer/inner.rs",
            "pub mod deep { pub use super::super::other::LIMIT; }\npub struct Thing;\npub enum Kind { One, Two }\npub fn make() {}",
        ),
        ("outer/other.rs", "pub const LIMIT: u32 = 1;\npub trait Act { fn act(&self) {} }\npub struct Named { pub part: u32 }"),
        ("macros.rs", "macro_rules! twice { ($made:ident) => { pub struct $made; pub struct Fixed; } }\ntwice!(First);"),
        ("user.rs", text),
    ]))
}

#[test]
fn a_reexport_leads_to_the_file_behind_it() {
    assert_eq!(user("use crate::outer::Thing;"), ["user.rs:1 outer/inner.rs crate::outer::Thing"]);
    assert_eq!(user("use crate::outer::{\n  Alias,\n};"), ["user.rs:2 outer/inner.rs crate::outer::Alias"]);
    assert_eq!(user("use crate::TopThing as Mine;"), ["user.rs:1 outer/inner.rs crate::TopThing"]);
    assert_eq!(user("use crate::outer::LIMIT;"), ["user.rs:1 outer/other.rs crate::outer::LIMIT"]);
    assert_eq!(user("use crate::outer::deep;\nfn f() -> u32 { deep::LIMIT }"), ["user.rs:2 outer/other.rs deep::LIMIT"]);
}

#[test]
fn declarations_and_re_exports_are_not_dependencies() {
    assert_eq!(user("pub use crate::outer::Thing;\npub(crate) use crate::outer::*;\nuse crate::outer;\nmod nothing {}"), [""; 0]);
}

#[test]
fn code_that_uses_its_own_reexport_depends_on_the_definition() {
    assert_eq!(user("pub use crate::outer::Thing;\nfn f(_: Thing) {}"), ["user.rs:2 outer/inner.rs Thing"]);
}

#[test]
fn a_glob_counts_only_for_the_names_that_are_used() {
    let text = "use super::outer::*;\nfn f() -> Alias { todo!() }\nfn g() { LIMIT; }";
    assert_eq!(user(text), ["user.rs:2 outer/inner.rs Alias", "user.rs:3 outer/other.rs LIMIT"]);
    assert_eq!(user("use crate::outer::Kind::*;\nfn f() { One; }"), ["user.rs:2 outer/inner.rs One"]);
}

#[test]
fn a_child_sees_what_its_parent_imports() {
    let text = "use crate::outer::Thing;\nmod inside { use super::*;\nfn f() -> Option<Thing> { None } }";
    assert_eq!(user(text), ["user.rs:1 outer/inner.rs crate::outer::Thing", "user.rs:3 outer/inner.rs Thing"]);
}

#[test]
fn paths_count_in_every_kind_of_code() {
    let places = [
        "fn f() { crate::outer::Kind::One; }",
        "fn f(at: &crate::outer::Kind) {}",
        "fn f() { if let Some(crate::outer::Kind::One) = x() {} }",
        "impl From<crate::outer::Kind> for u8 {}",
        "struct S { #[schema(value_type = crate::outer::Kind)] a: u8 }",
        "struct S { #[serde(default = \"crate::outer::Kind::one\")] a: u8 }",
        "fn f() { assert!(matches!(x, crate::outer::Kind::One)); }",
        "macro_rules! m { () => { $crate::outer::Kind::One } }",
        "fn f() { <crate::outer::Kind as Iterator>::next(); }",
        "type T = Vec<[crate::outer::Kind; 2]>;",
        "fn f() { use crate::outer::Kind; }",
    ];
    for place in places {
        let found = user(place);
        assert!(!found.is_empty() && found.iter().all(|line| line.starts_with("user.rs:1 outer/inner.rs ")), "{place}: {found:?}");
    }
}

#[test]
fn imported_names_count_in_the_tokens_of_macros() {
    let text = "use crate::outer::*;\nfn f() { println!(\"{}\", LIMIT); }\nfn g() { select! { _ = a => Kind::One, } }\nfn h() { format!(\"{LIMIT}\"); }";
    let expected = ["user.rs:3 outer/inner.rs Kind::One", "user.rs:2 outer/other.rs LIMIT", "user.rs:4 outer/other.rs LIMIT"];
    assert_eq!(user(text), expected);
}

#[test]
fn fields_methods_and_variables_are_not_paths() {
    let text = "use crate::outer::*;\nfn f(x: u8) { let make = 1; show!(x.deep, make, deep: 1); y.make(); make; }";
    assert_eq!(user(text), [""; 0]);
}

#[test]
fn an_item_that_a_macro_declares_is_defined_where_the_macro_is_called() {
    let expected = ["user.rs:1 macros.rs crate::macros::First", "user.rs:2 macros.rs crate::macros::Fixed"];
    assert_eq!(user("use crate::macros::First;\nuse crate::macros::Fixed;"), expected);
    assert_eq!(user("twice!(Mine);\nfn f(_: Mine) {}"), ["user.rs:1 macros.rs twice"]);
}

#[test]
fn an_exported_macro_is_found_at_the_root_of_its_crate() {
    let tree = gateway(&[
        ("lib.rs", "mod a;\nmod b;"),
        ("a.rs", "pub mod inner;"),
        ("a/inner.rs", "#[macro_export]\nmacro_rules! each { () => {} }"),
        ("b.rs", "fn f() { crate::each!(); }"),
    ]);
    assert_eq!(taken(&tree), ["b.rs:1 a/inner.rs crate::each"]);
}

#[test]
fn a_glob_does_not_import_private_names() {
    let tree = gateway(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;"),
        ("a.rs", "use crate::c::Thing;\npub struct Other;"),
        ("b.rs", "use crate::a::*;\nfn f(_: Thing, _: Other) {}"),
        ("c.rs", "pub struct Thing;"),
    ]);
    assert_eq!(taken(&tree), ["a.rs:1 c.rs crate::c::Thing", "b.rs:2 a.rs Other"]);
}

#[test]
fn tests_in_a_file_of_their_own_depend_on_the_code_that_they_test() {
    let tree = gateway(&[
        ("lib.rs", "mod a;"),
        ("a.rs", "pub fn a() {}\n#[cfg(test)]\nmod tests;"),
        ("a/tests.rs", "use super::*;\n#[test]\nfn works() { a(); }"),
    ]);
    assert_eq!(taken(&tree), ["a/tests.rs:3 a.rs a (test)"]);
    assert_eq!(source(&tree).graph.circles(), []);
}

#[test]
fn code_that_only_tests_compile_is_marked() {
    let text = "#[cfg(test)]\nuse crate::outer::Thing;\n#[cfg(any(test, feature = \"testing\"))]\nfn f() { crate::outer::LIMIT; }\n#[cfg(not(test))]\nuse crate::outer::Kind;";
    let expected = [
        "user.rs:2 outer/inner.rs crate::outer::Thing (test)",
        "user.rs:6 outer/inner.rs crate::outer::Kind",
        "user.rs:4 outer/other.rs crate::outer::LIMIT (test)",
    ];
    assert_eq!(user(text), expected);
}

#[test]
fn a_test_in_a_macro_is_marked() {
    let text = "use crate::outer::*;\nmacro_rules! m { () => {\n#[cfg(test)] fn keys() { LIMIT }\nfn f(_: Thing) {} } }";
    assert_eq!(user(text), ["user.rs:4 outer/inner.rs Thing", "user.rs:3 outer/other.rs LIMIT (test)"]);
}

#[test]
fn paths_into_other_crates_of_the_workspace_are_resolved() {
    let mut tree = gateway(&[("lib.rs", "pub use core_parts::*;\npub mod own { pub struct Own; }")]);
    tree.insert("gateway/Cargo.toml", "[package]\nname = \"gateway\"\n[dependencies]\ncore-parts.workspace = true\n");
    tree.insert("gateway/core/Cargo.toml", "[package]\nname = \"core-parts\"\n");
    tree.insert("gateway/core/src/lib.rs", "pub mod model;");
    tree.insert("gateway/core/src/model.rs", "pub struct Id;");
    tree.insert("gateway/tests/it/main.rs", "#[path = \"../../shared.rs\"]\nmod shared;\nuse gateway::{model::Id, own::Own};");
    tree.insert("gateway/shared.rs", "use gateway::own::Own;");
    let expected = [
        "gateway/tests/it/main.rs:3 lib.rs gateway::own::Own (test)",
        "gateway/tests/it/main.rs:3 gateway/core/src/model.rs gateway::model::Id (test)",
        "gateway/shared.rs:1 lib.rs gateway::own::Own (test)",
    ];
    let (mut found, mut expected) = (taken(&tree), expected.map(str::to_owned).to_vec());
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_path_that_cannot_be_resolved_is_listed() {
    let tree = gateway(&[("lib.rs", "use crate::missing::Thing;")]);
    let unresolved = source(&tree).graph.unresolved;
    assert_eq!((unresolved.len(), unresolved[0].taken[0].line), (1, 1));
}

/// A path that cannot be resolved could hide a dependency.
#[test]
fn every_path_of_the_workspace_is_resolved() {
    assert_eq!(SOURCE.graph.unresolved, []);
    let is_rust = |path: &&str| Path::new(path).extension().is_some_and(|extension| extension == "rs");
    let unread: Vec<_> = SOURCE
        .tree
        .files()
        .map(|(path, _)| path)
        .filter(is_rust)
        .filter(|path| !SOURCE.graph.files.iter().any(|file| file == path))
        .collect();
    assert!(unread.is_empty(), "no module declares these files: {unread:?}");
}
