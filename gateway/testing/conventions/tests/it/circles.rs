//! Tests of the rule against circles of files.

use crate::{
    planted::{gateway, source},
    workspace::keeps,
};
use conventions::{finding::report, rules::circles};

#[test]
fn the_workspace_has_no_circle_of_files() {
    keeps(circles::check);
}

#[test]
fn a_planted_circle_is_found_with_lines_and_names() {
    let tree = gateway(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;\npub use c::C;"),
        ("a.rs", "pub struct A;\nuse crate::b::B;"),
        ("b.rs", "pub struct B;\n\nfn b(_: crate::C) {}"),
        ("c.rs", "pub struct C(super::a::A);"),
    ]);
    let report = report(circles::check(&source(&tree)));
    for part in [
        "[no circle of files] 3 files depend on each other",
        "gateway/src/a.rs:2 uses from gateway/src/b.rs: crate::b::B (2)",
        "gateway/src/b.rs:3 uses from gateway/src/c.rs: crate::C (3)",
        "gateway/src/c.rs:1 uses from gateway/src/a.rs: super::a::A (1)",
        "remedy: ",
    ] {
        assert!(report.contains(part), "{part} is not in\n{report}");
    }
}

#[test]
fn a_parent_and_a_child_that_use_each_other_are_a_circle() {
    let tree = gateway(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod child;\npub struct Shared;\nfn f() { child::make(); }"),
        ("a/child.rs", "use super::Shared;\npub(super) fn make() -> Shared { Shared }"),
    ]);
    assert_eq!(circles::check(&source(&tree)).len(), 1);
}

#[test]
fn a_parent_that_only_declares_and_re_exports_is_in_no_circle() {
    let tree = gateway(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod child;\nmod shared;\npub use child::make;\npub use shared::Shared;"),
        ("a/child.rs", "use super::Shared;\npub fn make() -> Shared { Shared }"),
        ("a/shared.rs", "pub struct Shared;"),
    ]);
    assert_eq!(circles::check(&source(&tree)), []);
}
