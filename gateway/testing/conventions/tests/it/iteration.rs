//! Tests of the rule against iteration over hash maps in code that the simulation runs.

use crate::{
    planted::{found, gateway, source},
    workspace::keeps,
};
use conventions::rules::iteration;

#[test]
fn no_code_that_the_simulation_runs_iterates_over_a_hash_map() {
    keeps(iteration::check);
}

/// Every folder that the rule names contains code. If a folder moves, the rule must not pass because it finds nothing.
#[test]
fn the_folders_of_the_rule_exist() {
    let files: Vec<_> = crate::workspace::SOURCE.tree.files().map(|(file, _)| file).collect();
    for folder in iteration::SIMULATED {
        assert!(
            files.iter().any(|file| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with(['/', '.']))),
            "{folder} contains no file"
        );
    }
}

/// The findings for `hub/user.rs` with the content `text`. `hub/table.rs`, next to it, declares maps that `text` may iterate over.
fn iterations(text: &str) -> Vec<String> {
    let table = "pub struct Table { pub rows: HashMap<u8, u8>, pub fixed: HashMap<u8, u8, NameHasher>, pub list: Vec<u8>, pub locked: Mutex<HashSet<u8>> }
pub enum Kind { Some(HashSet<u8>), Many(Vec<u8>) }
pub fn made() -> HashSet<u8> { HashSet::new() }";
    let tree = gateway(&[("lib.rs", "mod hub;"), ("hub/mod.rs", "mod table;\nmod user;"), ("hub/table.rs", table), ("hub/user.rs", text)]);
    found(&iteration::check(&source(&tree))).into_iter().map(|line| line.replace("gateway/src/hub/user.rs:", "")).collect()
}

#[test]
fn a_planted_iteration_is_found() {
    let found = |text: &str| iterations(text).len();
    for text in [
        "fn f(table: Table) { for row in &table.rows {} }",
        "fn f(table: Table) { table.rows.keys().count(); }",
        "fn f(table: Table) { table.borrow_mut().rows.retain(|_, _| true); }",
        "fn f(table: Table) { lock(&table.locked).drain(); }",
        "fn f(table: Table) { table.locked.lock().unwrap().iter(); }",
        "fn f(kind: Kind) { match kind { Kind::Some(all) => all.into_iter().collect(), Kind::Many(_) => {} } }",
        "fn f() { let mut all = HashMap::new(); all.insert(1, 2); g(all.values()); }",
        "fn f() { let (a, all) = (Vec::new(), HashSet::new()); a.iter(); list.extend(all); }",
        "fn f(all: &mut HashSet<u8>) { all.iter().next(); }",
        "async fn f() { let all = made().await?; for one in all {} }",
        "fn f() { for one in made() {} }",
        "fn f() { let all = names.iter().collect::<HashSet<_>>(); all.difference(&other); }",
    ] {
        assert_eq!(found(text), 1, "{text}");
    }
    assert_eq!(iterations("fn f(table: Table) {\n    table.rows.drain();\n}"), ["2 iterates over `rows`, a hash map or set (drain)"]);
}

#[test]
fn code_with_a_fixed_order_or_without_need_of_one_is_not_a_finding() {
    for text in [
        "fn f(table: Table) { table.list.iter(); table.rows.get(&1); table.rows.get(&1).iter(); }",
        "fn f(table: Table) { for row in table.fixed.values() {} }",
        "fn f() { let all = HashMap::new(); let all = vec![all]; all.iter(); }",
        "fn f(kind: Kind) { if let Kind::Many(all) = kind { all.iter(); } }",
        "fn f(all: HashMap<u8, u8>) { list.iter().for_each(|all| all.iter()); }",
        "struct Own { rows: Vec<u8> }\nfn f(own: Own) { own.rows.iter(); }",
        "fn f(table: Table) {\n// Any order: they are counted.\ntable.rows.values().count(); }",
        "#[cfg(test)]\nfn f() { list.iter(); }",
    ] {
        assert_eq!(iterations(text), [""; 0], "{text}");
    }
    assert_eq!(iterations("fn f(table: Table) {\n// Any order:\ntable.rows.values().count(); }").len(), 1);
    assert_eq!(iterations("fn f(table: Table) {\n// Any order: why.\n\ntable.rows.values().count(); }").len(), 1);
}

#[test]
fn code_that_only_tests_compile_may_iterate_unless_it_is_the_simulation() {
    let iterates = "fn f(all: HashSet<u8>) { all.iter(); }";
    let tree = gateway(&[
        ("lib.rs", "mod hub;\n#[cfg(test)]\nmod simulation;\nmod api;"),
        ("hub/mod.rs", "#[cfg(test)]\nmod tests;"),
        ("hub/tests.rs", iterates),
        ("simulation/mod.rs", iterates),
        ("api.rs", iterates),
    ]);
    assert_eq!(found(&iteration::check(&source(&tree))), ["gateway/src/simulation/mod.rs:1 iterates over `all`, a hash map or set (iter)"]);
}
