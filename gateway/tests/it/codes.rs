//! Every code is provoked by a test and explained on a page.

use gateway::broker::BrokerError;
use gateway_core::model::{ErrorCode, Refusal};
use serde::Deserialize;
use shared_proto::errors::{CodeRow, DISCONNECTS, ERRORS, ErrorRow, Retry, UNSUBSCRIBES};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Which tests make the gateway send each code. The keys are the codes as frontends see them; keys of errors also have the name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Provoked {
    errors: BTreeMap<String, Test>,
    unsubscribes: BTreeMap<String, Test>,
    disconnects: BTreeMap<String, Test>,
}

/// A test in a file of the repository.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    file: PathBuf,
    test: String,
}

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Test {
    /// The problem of this entry for `code`. `None` if it has none.
    fn objection(&self, code: &str) -> Option<String> {
        let Self { file, test } = self;
        let source = read(file);
        let (there, named) = if file.extension().is_some_and(|extension| extension == "rs") {
            (source.contains(&format!("fn {test}(")), true)
        } else {
            (source.contains(&format!("\ntest('{test}', ")), test.starts_with(code))
        };
        match (there, named) {
            (false, _) => Some(format!("{code}: {} has no test named {test:?}", file.display())),
            (true, false) => Some(format!("{code}: the name of {test:?} does not begin with the code")),
            (true, true) => None,
        }
    }
}

#[test]
fn every_code_is_provoked_by_a_test() {
    let provoked: Provoked = serde_json::from_str(&read("gateway/tests/sdk/codes.json")).expect("valid");
    let rows = |rows: &[CodeRow]| rows.iter().map(|row| row.code.to_string()).collect::<BTreeSet<_>>();
    let tables = [
        (ERRORS.iter().map(|row| format!("{} {}", row.client, row.name)).collect(), provoked.errors),
        (rows(UNSUBSCRIBES), provoked.unsubscribes),
        (rows(DISCONNECTS), provoked.disconnects),
    ];
    let mut objections = Vec::new();
    for (codes, tests) in tables {
        let listed = tests.keys().cloned().collect();
        objections.extend(codes.difference(&listed).map(|code| format!("{code}: no test provokes it")));
        objections.extend(listed.difference(&codes).map(|code| format!("{code}: there is no such code")));
        objections.extend(tests.iter().filter_map(|(code, test)| test.objection(code)));
    }
    assert!(objections.is_empty(), "gateway/tests/sdk/codes.json:\n{}", objections.join("\n"));
}

/// The embedded store never fails, so only a gateway with Redis can send these errors.
#[test]
fn broker_errors_have_their_own_codes() {
    for (error, code) in [
        (BrokerError::OutcomeUnknown, ErrorCode::OutcomeUnknown),
        (BrokerError::IdempotencyInProgress, ErrorCode::IdempotencyInProgress),
        (BrokerError::IdempotencyMismatch, ErrorCode::IdempotencyMismatch),
        (BrokerError::SequenceGap { expected: 5 }, ErrorCode::SequenceGap),
        (BrokerError::ProducerFenced { epoch: 7 }, ErrorCode::ProducerFenced),
        (BrokerError::Unavailable("away".into()), ErrorCode::ServiceUnavailable),
        (BrokerError::LimitExceeded("one too many"), ErrorCode::LimitExceeded),
    ] {
        let reported = Refusal::from(error.clone());
        assert_eq!(reported.code, code, "{error:?}");
        assert!(!reported.detail.is_empty(), "{error:?}");
    }
}

fn error(row: &ErrorRow) -> String {
    let retry = match row.retry {
        Retry::Never => "no",
        Retry::Safe => "yes",
        Retry::SameKeyOnly => "same key only",
    };
    format!("| {} | `{}` | {} | {retry} | {} |", row.client, row.name, row.http, row.doc)
}

fn code(row: &CodeRow) -> String {
    format!("| {} | {} | {} |", row.code, row.reason, row.doc)
}

fn table(head: &str, rows: impl Iterator<Item = String>) -> String {
    let mut table = format!("{head}\n{}|\n", "|---".repeat(head.matches('|').count() - 1));
    for row in rows {
        writeln!(table, "{row}").expect("a string takes everything");
    }
    table
}

#[test]
fn the_page_of_codes_says_what_the_tables_say() {
    let page = read("docs/codes.md");
    for table in [
        table("| code | name | HTTP | retry | what happened, and what to do |", ERRORS.iter().map(error)),
        table("| code | reason | what it means |", UNSUBSCRIBES.iter().map(code)),
        table("| code | reason | what it means |", DISCONNECTS.iter().map(code)),
    ] {
        assert!(page.contains(&table), "docs/codes.md should have this table:\n\n{table}");
    }
}
