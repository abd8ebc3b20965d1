//! Tests of the rule against forbidden words.

use crate::{
    planted::{found, gateway, source},
    workspace::keeps,
};
use conventions::{rules::words, words::parts};

#[test]
fn the_workspace_uses_no_forbidden_word() {
    keeps(words::check);
}

const LIST: &str = "gateway/testing/conventions/forbidden_words.toml";

/// Checks `files` against a list that forbids `zebra`, and returns the findings. `entry` is further TOML of that list entry.
fn words_of(entry: &str, files: &[(&str, &str)]) -> Vec<String> {
    let mut tree = gateway(&[("lib.rs", "")]);
    tree.insert(LIST, &format!("[[word]]\nwords = [\"zebra\", \"zebras\"]\ninstead = \"striped horse\"\n{entry}"));
    for (path, text) in files {
        tree.insert(path, text);
    }
    found(&words::check(&source(&tree)))
}

#[test]
fn names_are_split_into_words() {
    assert_eq!(
        parts("zebra_of ZebraEntry ZEBRA HTTPServer x9y Early Year's"),
        ["zebra", "of", "zebra", "entry", "zebra", "http", "server", "x", "y", "early", "year", "s"]
    );
}

#[test]
fn a_planted_word_is_found_in_every_kind_of_text() {
    let places = [
        ("gateway/src/lib.rs", "fn zebra_of() {}"),
        ("gateway/src/lib.rs", "struct AZebra;"),
        ("gateway/src/lib.rs", "// A zebra."),
        ("gateway/src/lib.rs", "const NAME: &str = \"gateway_zebras_total\";"),
        ("gateway/src/keys.lua", "local key = KEYS[1] .. ':zebra'"),
        ("gateway/config/default.toml", "zebra = 1"),
        ("docs/page.md", "Zebras are listed."),
        ("web/index.html", "<b>zebra</b>"),
        ("web/js/a.js", "const zebraList = [];"),
    ];
    for (file, text) in places {
        let found = words_of("in = \"everywhere\"", &[(file, text)]);
        assert_eq!(found.len(), 1, "{file}: {text}: {found:?}");
        assert!(found[0].starts_with(&format!("{file}:1 \"zebra")), "{found:?}");
    }
    assert_eq!(words_of("in = \"everywhere\"", &[("a.md", "zebrafish and azebra\nZebra")]), ["a.md:2 \"zebra\" in 2"]);
    assert_eq!(words_of("in = \"everywhere\"", &[("zebra/a.md", "zebra")]), ["zebra/a.md:0 \"zebra\" in the file's path, 1"]);
}

#[test]
fn a_word_can_be_forbidden_only_in_names_or_only_in_files() {
    let files = [("gateway/src/lib.rs", "//! A zebra.\nfn zebra() {}\n"), ("docs/zebra.md", "zebra"), ("docs/a.md", "zebra")];
    let expected = ["docs/zebra.md:0 \"zebra\" in the file's path", "gateway/src/lib.rs:2 \"zebra\" in 2"];
    assert_eq!(words_of("in = \"names\"", &files), expected);
    assert_eq!(words_of("in = \"files\"", &files), expected[..1]);
}

#[test]
fn an_exception_without_a_reason_or_a_use_is_found() {
    let files = [("docs/a.md", "zebra"), ("docs/more/b.md", "zebra"), ("docs.md", "zebra")];
    let allowed = |path: &str, reason: &str| format!("in = \"everywhere\"\nallowed = {{ \"{path}\" = \"{reason}\" }}");
    assert_eq!(words_of(&allowed("docs", "a page on animals"), &files), ["docs.md:1 \"zebra\" in 1"]);
    assert!(words_of(&allowed("docs", ""), &files).contains(&format!("{LIST}:0 `docs` has no reason for using \"zebra\", \"zebras\"")));
    assert!(words_of(&allowed("web", "none"), &files).contains(&format!("{LIST}:0 `web` does not use \"zebra\", \"zebras\"")));
}

#[test]
fn an_invalid_list_is_a_finding() {
    assert_eq!(
        words_of("in = \"somewhere\"", &[]),
        [format!("{LIST}:0 the entry of \"zebra\" has `in = \"somewhere\"`; allowed are everywhere, names and files")]
    );
    let mut tree = gateway(&[("lib.rs", "")]);
    tree.insert(LIST, "");
    assert_eq!(found(&words::check(&source(&tree))), [format!("{LIST}:0 the list has no words")]);
}
