//! Tests of the rule on the sizes of files and folders.

use crate::{
    planted::{found, gateway, source},
    workspace::keeps,
};
use conventions::rules::sizes;

#[test]
fn files_and_folders_of_the_workspace_are_small() {
    keeps(sizes::check);
}

const EXCEPTIONS: &str = "gateway/testing/conventions/exceptions.toml";

const HEAD: &str = "//! Head.";

/// A file with a module comment and `more` further lines.
fn head(more: usize) -> String {
    format!("{HEAD}\n{}", "\n".repeat(more))
}

fn sizes_of(files: &[(&str, &str)], exceptions: &str) -> Vec<String> {
    let mut tree = gateway(files);
    tree.insert(EXCEPTIONS, exceptions);
    found(&sizes::check(&source(&tree)))
}

#[test]
fn a_planted_long_file_is_found_unless_it_is_for_tests() {
    let (fits, long) = (head(449), head(450));
    let files = [("lib.rs", "//! Head.\nmod a;\nmod b;\n#[cfg(test)]\nmod tests;"), ("a.rs", &fits), ("b.rs", &long), ("tests.rs", &long)];
    assert_eq!(sizes_of(&files, ""), ["gateway/src/b.rs:0 451 lines; at most 450 are allowed"]);
}

#[test]
fn a_planted_long_mod_file_is_found() {
    let lines = |count: usize| format!("//! Head.\n//! More.\nmod child;\n{}", "\n".repeat(count - 1));
    let leaf = format!("//! Head.\n#[cfg(test)]\nmod tests;\n{}", "\n".repeat(100));
    let long = [
        ("lib.rs", "//! Head.\nmod a;\nmod b;\nmod leaf;"),
        ("a/mod.rs", &lines(79)),
        ("a/child.rs", HEAD),
        ("b/mod.rs", &lines(80)),
        ("b/child.rs", HEAD),
        ("leaf/mod.rs", &leaf),
        ("leaf/tests.rs", ""),
    ];
    let expected = "gateway/src/b/mod.rs:0 has 80 lines without its module comment; a `mod.rs` must have fewer than 80";
    assert_eq!(sizes_of(&long, ""), [expected]);
    assert_eq!(sizes_of(&long, "[long]\n\"gateway/src/b/mod.rs\" = \"a reason\""), [""; 0]);
    let found = sizes_of(&long, "[long]\n\"gateway/src/b/mod.rs\" = \"\"\n\"gateway/src/a/mod.rs\" = \"a reason\"");
    let expected = [
        format!("{EXCEPTIONS}:0 `gateway/src/a/mod.rs` does not need its exception in `long`"),
        format!("{EXCEPTIONS}:0 the exception for `gateway/src/b/mod.rs` has no reason"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_planted_folder_with_too_many_files_is_found() {
    let names: Vec<_> = (0..12).map(|number| (format!("wide/m{number}.rs"), format!("mod m{number};\n"))).collect();
    let declared: String = names.iter().map(|(_, declared)| declared.as_str()).collect();
    let (fits, crowd) = (format!("//! Head.\n{declared}"), format!("//! Head.\n{declared}mod more;\n#[cfg(test)]\nmod tests;"));
    let mut files = vec![("lib.rs", "//! Head.\nmod wide;"), ("wide.rs", &fits)];
    files.extend(names.iter().map(|(path, _)| (path.as_str(), HEAD)));
    assert_eq!(sizes_of(&files, ""), [""; 0]);
    files[1] = ("wide.rs", &crowd);
    files.extend([("wide/more.rs", HEAD), ("wide/tests.rs", "")]);
    assert_eq!(sizes_of(&files, ""), ["gateway/src/wide:0 13 files, not counting tests; at most 12 are allowed"]);
    assert_eq!(sizes_of(&files, "[wide]\n\"gateway/src/wide\" = \"all are handlers\""), [""; 0]);
}

#[test]
fn a_planted_file_without_a_head_is_found() {
    let files = [("lib.rs", "//! Head.\nmod a;"), ("a/mod.rs", "// No head.\nmod child;"), ("a/child.rs", HEAD)];
    assert_eq!(sizes_of(&files, ""), ["gateway/src/a/mod.rs:0 does not begin with a `//!` sentence"]);
}
