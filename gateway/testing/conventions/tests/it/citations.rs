//! Tests of the rule that code and tests cite every rule of docs/no-loss.md.

use crate::{
    planted::{found, gateway, source},
    workspace::keeps,
};
use conventions::rules::citations;

#[test]
fn code_and_a_test_cite_every_rule_of_no_loss() {
    keeps(citations::check);
}

const PAGE: &str = "# Rules\nAs NL-9.9, which is not a rule.\n- **NL-1.1** One.\n- **NL-1.12** Two\n  lines.\n";
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
fn a_rule_that_code_and_a_test_cite_is_not_a_finding() {
    assert_eq!(citations_of(&[]), [""; 0]);
    // Citations in Lua count for code too.
    let lua = [("gateway/src/lib.rs", &*LIB.replacen("NL-1.1,", "", 1)), ("gateway/src/a.lua", "-- NL-1.1")];
    assert_eq!(citations_of(&lua), [""; 0]);
}

#[test]
fn a_rule_that_no_test_or_no_code_cites_is_found() {
    let by_code_alone = [("gateway/tests/sdk/a.test.mjs", "")];
    assert_eq!(citations_of(&by_code_alone), ["docs/no-loss.md:4 no test cites NL-1.12"]);
    let by_a_test_alone = [("gateway/src/lib.rs", LIB.split_once('\n').unwrap().1)];
    let expected = ["docs/no-loss.md:3 no code cites NL-1.1", "docs/no-loss.md:4 no code cites NL-1.12"];
    assert_eq!(citations_of(&by_a_test_alone), expected);
}

#[test]
fn a_citation_of_an_unknown_rule_is_found() {
    let unknown = [("gateway/src/a.lua", "-- NL-1.1\n-- NL-1.13 and NL-1, NL-x.1")];
    assert_eq!(citations_of(&unknown), ["gateway/src/a.lua:2 docs/no-loss.md has no rule NL-1.13"]);
}

#[test]
fn a_number_of_two_rules_is_found() {
    let twice = format!("{PAGE}- **NL-1.1** Once more.\n");
    assert_eq!(citations_of(&[("docs/no-loss.md", &twice)]), ["docs/no-loss.md:6 NL-1.1 is the number of two rules"]);
    assert_eq!(citations_of(&[("docs/no-loss.md", "")])[0], "docs/no-loss.md:0 the page has no rules");
}
