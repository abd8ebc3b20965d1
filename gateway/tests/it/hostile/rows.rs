//! SECURITY.md and the tests belong together.

use std::{collections::BTreeSet, fs, path::Path};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The files of this folder that are no attacks.
const NO_ATTACKS: [&str; 3] = ["mod.rs", "rows.rs", "support.rs"];

/// The texts in backticks of the last cell of each row of the table.
fn tests_of_rows(page: &str) -> Vec<Vec<String>> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| who ") && !line.starts_with("|---"));
    rows.map(|row| {
        let last = row.trim_end_matches([' ', '|']).rsplit("| ").next().unwrap_or_default();
        last.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    })
    .collect()
}

/// The names of the test functions of a file.
fn functions(path: &Path) -> BTreeSet<String> {
    let source = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut is_test = false;
    let mut names = BTreeSet::new();
    for line in source.lines().map(str::trim) {
        match line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")) {
            Some(rest) if is_test => _ = names.insert(rest.split('(').next().unwrap_or_default().to_owned()),
            _ => {}
        }
        is_test = line.starts_with("#[test]") || line.starts_with("#[tokio::test") || (is_test && line.starts_with("#["));
    }
    names
}

/// Whether a test is there: a function `module::name` of this program, or a file of the repository that contains a test with this title, as
/// `path: title`.
fn exists(test: &str) -> bool {
    if let Some((path, title)) = test.split_once(": ") {
        return fs::read_to_string(Path::new(ROOT).join(path)).is_ok_and(|source| source.contains(&format!("test('{title}'")));
    }
    let Some((module, name)) = test.rsplit_once("::") else { return false };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(module.replace("::", "/")).with_extension("rs");
    file.exists() && functions(&file).contains(name)
}

#[test]
fn each_row_names_its_tests_and_each_attack_has_a_row() {
    let page = fs::read_to_string(Path::new(ROOT).join("SECURITY.md")).expect("there");
    let rows = tests_of_rows(&page);
    assert!(rows.len() > 15, "the table is found: {}", rows.len());
    let without: Vec<_> = rows.iter().enumerate().filter(|(_, tests)| tests.is_empty()).map(|(at, _)| at + 1).collect();
    assert!(without.is_empty(), "these rows name no test: {without:?}");
    let named: BTreeSet<_> = rows.into_iter().flatten().collect();
    let missing: Vec<_> = named.iter().filter(|test| !exists(test)).collect();
    assert!(missing.is_empty(), "these tests are not there: {missing:#?}");

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/hostile");
    let files = fs::read_dir(&folder).expect("there").map(|entry| entry.expect("there").path());
    for file in files.filter(|file| !NO_ATTACKS.iter().any(|name| file.ends_with(name))) {
        let module = file.file_stem().expect("a name").to_string_lossy().into_owned();
        for function in functions(&file) {
            assert!(named.contains(&format!("hostile::{module}::{function}")), "SECURITY.md has no row for hostile::{module}::{function}");
        }
    }
}

#[test]
fn what_is_missing_is_found() {
    assert!(exists("hostile::rows::what_is_missing_is_found"));
    assert!(
        !exists("hostile::rows::exists")
            && !exists("hostile::rows::nothing")
            && !exists("nowhere::nothing")
            && !exists("docs/tls.md: nothing")
    );
    let page = "| who | test |\n|---|---|\n| a | `one`, `two` |\n| b | none |\ntext\n";
    assert_eq!(tests_of_rows(page), [vec!["one".to_owned(), "two".to_owned()], vec![]]);
}
