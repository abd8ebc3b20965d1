//! The rules of docs/no-loss.md are followed and held.

use crate::{
    planted::{found, gateway, source},
    workspace::keeps,
};
use conventions::rules::citations;

#[test]
fn every_rule_of_no_loss_has_code_and_a_test() {
    keeps(citations::check);
}

const PAGE: &str = "# Rules\nAs NL-9.9, which is none.\n- **NL-1.1** One.\n- **NL-1.12** Two\n  lines.\n";
const LIB: &str = "// NL-1.1, NL-1.12\nfn f() {}\n#[cfg(test)]\nmod tests {\n    // NL-1.1\n}\n";

fn citations_of(files: &[(&str, &str)]) -> Vec<String> {
    let mut tree = gateway(&[("lib.rs", LIB)]);
    tree.insert("docs/no-loss.md", PAGE);
    tree.insert("gateway/tests/sdk/a.test.mjs", "// NL-1.12");
    for (path, text) in files {
        tree.insert(path, text);
    }
    found(&citations::check(&source(&tree)))
}

#[test]
fn rules_that_are_cited_by_code_and_tests_are_no_findings() {
    assert_eq!(citations_of(&[]), [""; 0]);
    // Lua is code, too.
    let lua = [("gateway/src/lib.rs", &*LIB.replacen("NL-1.1,", "", 1)), ("gateway/src/a.lua", "-- NL-1.1")];
    assert_eq!(citations_of(&lua), [""; 0]);
}

#[test]
fn a_rule_without_a_test_or_without_code_is_found() {
    let by_code_alone = [("gateway/tests/sdk/a.test.mjs", "")];
    assert_eq!(citations_of(&by_code_alone), ["docs/no-loss.md:4 no test cites NL-1.12"]);
    let by_a_test_alone = [("gateway/src/lib.rs", LIB.split_once('\n').unwrap().1)];
    let expected = ["docs/no-loss.md:3 no code cites NL-1.1", "docs/no-loss.md:4 no code cites NL-1.12"];
    assert_eq!(citations_of(&by_a_test_alone), expected);
}

#[test]
fn a_citation_of_no_rule_is_found() {
    let unknown = [("gateway/src/a.lua", "-- NL-1.1\n-- NL-1.13 and NL-1, NL-x.1")];
    assert_eq!(citations_of(&unknown), ["gateway/src/a.lua:2 NL-1.13 is no rule of docs/no-loss.md"]);
}

#[test]
fn a_number_that_is_there_twice_is_found() {
    let twice = format!("{PAGE}- **NL-1.1** Once more.\n");
    assert_eq!(citations_of(&[("docs/no-loss.md", &twice)]), ["docs/no-loss.md:6 NL-1.1 is there twice"]);
    assert_eq!(citations_of(&[("docs/no-loss.md", "")])[0], "docs/no-loss.md:0 there are no rules");
}
