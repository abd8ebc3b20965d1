//! Tests of the rules on layers, foreign crates and crates, whose tables are in ARCHITECTURE.md.

use crate::{
    planted::{found, gateway, source},
    workspace::keeps,
};
use conventions::{
    rules::{crates, foreign, layers},
    tree::Tree,
};

#[test]
fn modules_of_the_workspace_use_only_modules_below_them() {
    keeps(layers::check);
}

#[test]
fn only_allowed_modules_of_the_workspace_use_foreign_crates() {
    keeps(foreign::check);
}

#[test]
fn crates_of_the_workspace_use_what_the_table_allows() {
    keeps(crates::check);
}

const PAGE: &str = "
## Crates
| crate | uses | in tests also |
|---|---|---|
| `gateway` | | |

### Layers of `gateway/src` and `gateway/core/src`
Some words.

| module | what |
|---|---|
| `top` | the upper one |
| `left`, `right` | neighbours |
| `bottom` | the lower one |

### Foreign crates in `gateway/src`
| crate | used in | why |
|---|---|---|
| `redis`, `deadpool_*` | `bottom/store` | |
| `serde` | everywhere | |
";

const MANIFEST: &str =
    "[package]\nname = \"gateway\"\n[dependencies]\nredis = \"1\"\ndeadpool-redis = \"1\"\nserde = \"1\"\ntokio = \"1\"\n";

/// A workspace without findings. The files in `files` replace its own or are added to them.
fn with(files: &[(&str, &str)]) -> Tree {
    let mut tree = gateway(&[
        ("lib.rs", "mod top;\nmod left;\nmod right;\nmod bottom;\n#[cfg(test)]\nmod simulation;"),
        ("top.rs", "use crate::left::Left;\nuse crate::bottom::Bottom;"),
        ("left.rs", "use crate::bottom::Bottom;\nuse serde::Serialize;\npub struct Left;"),
        ("right/mod.rs", "use crate::bottom::Bottom;\npub struct Right;"),
        ("bottom/mod.rs", "mod store;\npub struct Bottom;"),
        ("bottom/store.rs", "use redis::Client;\nuse deadpool_redis::Pool;"),
        ("simulation.rs", "use crate::top::*;\npub struct Clock;"),
    ]);
    tree.insert("ARCHITECTURE.md", PAGE);
    tree.insert("gateway/Cargo.toml", MANIFEST);
    for (path, text) in files {
        tree.insert(path, text);
    }
    tree
}

fn layers_of(files: &[(&str, &str)]) -> Vec<String> {
    found(&layers::check(&source(&with(files))))
}

fn foreign_of(files: &[(&str, &str)]) -> Vec<String> {
    found(&foreign::check(&source(&with(files))))
}

#[test]
fn a_workspace_that_breaks_no_rule_has_no_findings() {
    assert_eq!(layers_of(&[]), [""; 0]);
    assert_eq!(foreign_of(&[]), [""; 0]);
    assert_eq!(found(&crates::check(&source(&with(&[])))), [""; 0]);
}

#[test]
fn a_planted_upward_import_is_found() {
    let upward = [("gateway/src/bottom/store.rs", "use redis::Client;\nuse deadpool_redis::Pool;\nfn f() { crate::left::Left; }")];
    assert_eq!(
        layers_of(&upward),
        [
            "gateway/src/bottom/store.rs:3 `bottom` uses crate::left::Left from `left` (gateway/src/left.rs): a module must not use modules above it"
        ]
    );
}

#[test]
fn a_planted_sideways_import_is_found() {
    let sideways = [("gateway/src/right/mod.rs", "use crate::left::Left;\nuse crate::bottom::Bottom;")];
    let expected = "gateway/src/right/mod.rs:1 `right` uses crate::left::Left from `left` (gateway/src/left.rs): modules of one row must not use each other";
    assert_eq!(layers_of(&sideways), [expected]);
}

#[test]
fn a_file_that_declares_modules_is_used_by_no_other() {
    let lib = "mod top;\nmod left;\nmod right;\nmod bottom;\npub struct Whole;";
    let findings = layers_of(&[("gateway/src/lib.rs", lib), ("gateway/src/top.rs", "use crate::Whole;")]);
    assert_eq!(
        findings,
        ["gateway/src/top.rs:1 `top` uses crate::Whole from `lib` (gateway/src/lib.rs): that file may only declare modules"]
    );
}

#[test]
fn test_code_may_use_everything_and_only_test_code_may_use_it() {
    let tests = "use redis::Client;\nuse deadpool_redis::Pool;\n#[cfg(test)]\nmod tests { use crate::top::*;\nuse crate::left::Left; }";
    assert_eq!(layers_of(&[("gateway/src/bottom/store.rs", tests)]), [""; 0]);
    let lib = "mod top;\nmod left;\nmod right;\nmod bottom;\n#[cfg(feature = \"testing\")]\nmod simulation;";
    let findings = layers_of(&[("gateway/src/lib.rs", lib), ("gateway/src/top.rs", "use crate::simulation::Clock;")]);
    assert_eq!(findings, ["gateway/src/top.rs:1 uses crate::simulation::Clock from gateway/src/simulation.rs, which only tests compile"]);
}

#[test]
fn fuzz_targets_may_use_test_code() {
    let lib = "mod top;\nmod left;\nmod right;\nmod bottom;\n#[cfg(feature = \"testing\")]\npub mod simulation;";
    let uses = |metadata: &str| {
        let manifest = format!(
            "[package]\nname = \"gateway-fuzz\"\n{metadata}\n[dependencies]\ngateway = {{ path = \"../gateway\" }}\n[[bin]]\npath = \"targets/a.rs\""
        );
        let target = "use gateway::simulation::Clock;";
        layers_of(&[
            ("gateway/src/lib.rs", lib),
            ("gateway/src/simulation.rs", "pub struct Clock;"),
            ("fuzz/Cargo.toml", &manifest),
            ("fuzz/targets/a.rs", target),
        ])
    };
    assert_eq!(uses("metadata = { cargo-fuzz = true }"), [""; 0]);
    let of_a_program = uses("");
    assert_eq!(
        of_a_program,
        ["fuzz/targets/a.rs:1 uses gateway::simulation::Clock from gateway/src/simulation.rs, which only tests compile"]
    );
}

#[test]
fn a_module_without_a_row_and_a_row_without_a_module_are_found() {
    let lib = "mod top;\nmod left;\nmod right;\nmod bottom;\nmod new;";
    let findings = layers_of(&[("gateway/src/lib.rs", lib), ("gateway/src/new.rs", "")]);
    assert_eq!(findings, ["ARCHITECTURE.md:10 module `new` of gateway/src, gateway/core/src is in no row"]);
    let page = PAGE.replace("| `bottom` |", "| `bottom`, `gone`, `top` |");
    let findings = layers_of(&[("ARCHITECTURE.md", &page)]);
    let of_the_page: Vec<_> = findings.iter().filter(|finding| finding.starts_with("ARCHITECTURE.md")).collect();
    let expected =
        ["ARCHITECTURE.md:14 `top` is in two rows", "ARCHITECTURE.md:14 there is no module `gone` in gateway/src, gateway/core/src"];
    assert_eq!(of_the_page, expected);
}

#[test]
fn a_module_may_move_into_a_crate_of_its_own() {
    let manifest = format!("{MANIFEST}gateway-core = {{ path = \"core\" }}\n");
    let tree = [
        ("gateway/Cargo.toml", manifest.as_str()),
        ("gateway/core/Cargo.toml", "[package]\nname = \"gateway-core\"\n[dependencies]\ntokio = \"1\""),
        ("gateway/core/src/lib.rs", "pub mod bottom2;"),
        ("gateway/core/src/bottom2.rs", "pub struct Deep;"),
        ("gateway/src/bottom/mod.rs", "mod store;\nuse gateway_core::bottom2::Deep;\npub struct Bottom;"),
    ];
    let page = PAGE.replace("| `bottom` |", "| `bottom` | |\n| `bottom2` |");
    let mut files = tree.to_vec();
    files.push(("ARCHITECTURE.md", &page));
    let findings = layers_of(&files);
    assert_eq!(findings.len(), 0, "{findings:?}");
}

#[test]
fn a_planted_foreign_crate_is_found() {
    let places = [
        ("use tokio::time::sleep;", "2 crate `tokio` is in no row of the table of foreign crates"),
        ("fn f() { tokio::time::sleep(); }", "2 crate `tokio` is in no row of the table of foreign crates"),
        ("pub use redis::Client;", "2 crate `redis` is used here, but only bottom/store may use it"),
        ("use deadpool_redis::*;", "2 crate `deadpool_redis` is used here, but only bottom/store may use it"),
        ("fn f() { tokio::select! {} }", "2 crate `tokio` is in no row of the table of foreign crates"),
        ("#[tokio::main]\nfn f() {}", "2 crate `tokio` is in no row of the table of foreign crates"),
    ];
    for (text, expected) in places {
        let text = format!("use crate::bottom::Bottom;\n{text}\npub struct Left;");
        let findings = foreign_of(&[("gateway/src/left.rs", &text), ("gateway/src/top.rs", "use serde::Serialize;")]);
        assert_eq!(findings, [format!("gateway/src/left.rs:{expected}")]);
    }
}

#[test]
fn a_foreign_crate_behind_a_reexport_is_found() {
    let findings = foreign_of(&[
        ("gateway/src/bottom/mod.rs", "mod store;\npub use store::Client;\npub struct Bottom;"),
        ("gateway/src/bottom/store.rs", "pub use redis::Client;\nuse deadpool_redis::Pool;"),
        ("gateway/src/right/mod.rs", "use crate::bottom::Client;"),
    ]);
    let expected = ["gateway/src/bottom/mod.rs:2", "gateway/src/right/mod.rs:1"]
        .map(|place| format!("{place} crate `redis` is used here, but only bottom/store may use it"));
    assert_eq!(findings, expected);
}

#[test]
fn an_entry_of_a_row_that_no_code_uses_is_found() {
    let findings = foreign_of(&[("gateway/src/bottom/store.rs", "use redis::Client;"), ("gateway/src/left.rs", "pub struct Left;")]);
    let expected = [
        "ARCHITECTURE.md:19 `deadpool_*` is in the row, but no code uses it",
        "ARCHITECTURE.md:20 `serde` is in the row, but no code uses it",
    ];
    assert_eq!(findings, expected);
}

#[test]
fn a_planted_dependency_between_crates_is_found() {
    let manifest = format!("{MANIFEST}bench.path = \"../bench\"\n");
    let tree = with(&[("gateway/Cargo.toml", &manifest), ("bench/Cargo.toml", "[package]\nname = \"bench\"\n")]);
    let expected = [
        "ARCHITECTURE.md:3 crate `bench` is in no row",
        "gateway/Cargo.toml:0 `gateway` has `bench` in its dependencies, but not in its row in ARCHITECTURE.md",
    ];
    assert_eq!(found(&crates::check(&source(&tree))), expected);
    let tests = "[dev-dependencies]\nbench.path = \"../bench\"\n";
    let tree = with(&[("gateway/Cargo.toml", &format!("{MANIFEST}{tests}")), ("bench/Cargo.toml", "[package]\nname = \"bench\"\n")]);
    let found_in_tests = found(&crates::check(&source(&tree)));
    assert!(found_in_tests[1].contains("has `bench` in its dev-dependencies, but not in its row"), "{found_in_tests:?}");
    // A crate may list a normal dependency again as a dev-dependency.
    let page = PAGE.replace("| `gateway` | |", "| `bench` | | |\n| `gateway` | `bench` |");
    let twice = format!("{manifest}{tests}");
    let tree = with(&[("gateway/Cargo.toml", &twice), ("bench/Cargo.toml", "[package]\nname = \"bench\"\n"), ("ARCHITECTURE.md", &page)]);
    assert_eq!(found(&crates::check(&source(&tree))), [""; 0]);
    let page = PAGE.replace("| `gateway` | |", "| `gateway` | `bench` |");
    let tree = with(&[("ARCHITECTURE.md", &page), ("bench/Cargo.toml", "[package]\nname = \"bench\"\n")]);
    let expected =
        ["ARCHITECTURE.md:3 crate `bench` is in no row", "ARCHITECTURE.md:5 `gateway` has `bench` in its row, but not in its dependencies"];
    assert_eq!(found(&crates::check(&source(&tree))), expected);
}
