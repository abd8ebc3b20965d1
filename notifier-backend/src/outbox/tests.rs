//! The outbox with its threads and a real file.

use super::store;
use super::*;
use crate::notification::{Millis, Notification, Request, Target};
use crate::settings;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

fn open(directory: &tempfile::TempDir) -> Outbox {
    let path = directory.path().join("outbox.db");
    Outbox::open(&settings::Outbox { path, pending_limit: 100, queue: 300, keep_hours: 1, keep_count: 2 }).expect("opened")
}

fn notification(id: &str, users: &[&str], due: Millis) -> Notification {
    let request = serde_json::json!({"users": users, "title": id});
    let request: Request = serde_json::from_value(request).expect("a request");
    Notification::check(request, id.into(), due, 1000).expect("right")
}

async fn ids(outbox: &Outbox, now: Millis) -> Vec<String> {
    outbox.due(now, 100).await.expect("read").into_iter().map(|delivery| delivery.id).collect()
}

fn delivered(epoch: &str) -> Outcome {
    Outcome::Delivered { epoch: epoch.into() }
}

#[tokio::test]
async fn each_target_keeps_its_order_and_does_not_delay_others() {
    let directory = tempfile::tempdir().expect("a directory");
    let outbox = open(&directory);
    let at = Millis(1000);
    for (id, users, due) in [("n1", &["a", "b"][..], at), ("n2", &["a"], at), ("n3", &["b"], Millis(5000))] {
        outbox.accept(notification(id, users, due), None).await.expect("accepted");
    }
    assert_eq!(ids(&outbox, Millis(999)).await, Vec::<String>::new(), "a delivery does not start before it is due");
    assert_eq!(ids(&outbox, at).await, ["n1-0", "n1-1"]);
    let again = Outcome::Retry { cause: "down".into(), at: Millis(2000) };
    outbox.record_outcome("n1-0".into(), again).await.expect("stored");
    assert_eq!(ids(&outbox, Millis(1500)).await, ["n1-1"], "the second delivery to a waits for the first");
    assert_eq!(ids(&outbox, Millis(2000)).await, ["n1-1", "n1-0"], "the delivery that became due first comes first");
    outbox.record_outcome("n1-0".into(), delivered("e")).await.expect("stored");
    outbox.record_outcome("n1-1".into(), Outcome::Failed { cause: "no".into() }).await.expect("stored");
    assert_eq!(ids(&outbox, Millis(5000)).await, ["n2-0", "n3-0"]);
    let view = outbox.find("n1".into()).await.expect("read").expect("there");
    assert_eq!((view.targets[0].state, view.targets[0].attempts), (DeliveryState::Delivered, 2));
    assert_eq!((view.targets[1].state, view.targets[1].cause.as_deref()), (DeliveryState::Failed, Some("no")));
}

#[tokio::test]
async fn a_backup_of_a_used_outbox_has_what_was_accepted_and_replaces_no_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let outbox = open(&directory);
    outbox.accept(notification("n1", &["a"], Millis(1)), None).await.expect("accepted");
    let (from, to) = (directory.path().join("outbox.db"), directory.path().join("copy.db"));
    back_up(&from, &to).expect("copied");
    assert_eq!(std::fs::metadata(&to).expect("there").permissions().mode() & 0o777, 0o600);
    outbox.accept(notification("n2", &["a"], Millis(1)), None).await.expect("accepted");
    let error = back_up(&from, &to).expect_err("the file is there").to_string();
    assert!(error.contains("copy.db: File exists"), "{error}");
    let missing = back_up(&directory.path().join("none.db"), &directory.path().join("other.db")).expect_err("no outbox").to_string();
    assert!(missing.contains("unable to open database file"), "{missing}");
    let files = std::fs::read_dir(directory.path()).expect("readable").map(|entry| entry.expect("an entry").file_name());
    let kept = files.filter(|name| !name.to_string_lossy().starts_with("outbox.db")).collect::<Vec<_>>();
    assert_eq!(kept, ["copy.db"], "a copy that fails leaves nothing");

    let restored = tempfile::tempdir().expect("a directory");
    std::fs::rename(&to, restored.path().join("outbox.db")).expect("moved");
    assert_eq!(ids(&open(&restored), Millis(1)).await, ["n1-0"]);
    assert_eq!(ids(&outbox, Millis(1)).await, ["n1-0"], "the notifier goes on");
}

#[test]
fn due_deliveries_are_found_with_indexes_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let connection = store::open(&directory.path().join("outbox.db")).expect("opened");
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", store::DUE)).expect("prepared");
    let plan = explain.query_map([0, 0], |row| row.get::<_, String>("detail")).expect("explained");
    let plan: Vec<String> = plan.collect::<Result<_, _>>().expect("read");
    assert_eq!(
        plan,
        [
            "SEARCH x USING COVERING INDEX next_deliveries_ready (ready_ms<?)",
            "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH n USING INTEGER PRIMARY KEY (rowid=?)"
        ]
    );
}

/// The definition of the due deliveries, without the table of next deliveries: the first pending delivery of each target, if it is due and
/// its retry is not later.
const DUE_BY_DEFINITION: &str = "SELECT id FROM (
        SELECT *, row_number() OVER (PARTITION BY target ORDER BY due_ms, seq) AS place FROM deliveries WHERE state = 0 AND due_ms <= ?1
    ) WHERE place = 1 AND retry_ms <= ?1 ORDER BY max(due_ms, retry_ms), seq";

fn due_by_definition(path: &std::path::Path, now: Millis) -> Vec<String> {
    let connection = store::open(path).expect("opened");
    let mut find = connection.prepare(DUE_BY_DEFINITION).expect("prepared");
    let found = find.query_map([now.0], |row| row.get(0)).expect("asked");
    found.collect::<Result<_, _>>().expect("read")
}

#[tokio::test]
async fn next_deliveries_follow_every_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, outbox) = (directory.path().join("outbox.db"), open(&directory));
    let mut random = 7_u64;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    for round in 0..150 {
        let now = Millis(round * 10);
        let user = format!("u{}", below(4));
        let due = now.plus(Duration::from_millis(below(200)));
        outbox.accept(notification(&format!("n{round}"), &[&user], due), None).await.expect("accepted");
        for delivery in outbox.due(now, 100).await.expect("read") {
            let outcome = match below(4) {
                0 => continue,
                1 => Outcome::Retry { cause: "down".into(), at: now.plus(Duration::from_millis(below(100))) },
                2 => Outcome::Failed { cause: "no".into() },
                _ => delivered("e"),
            };
            outbox.record_outcome(delivery.id, outcome).await.expect("stored");
        }
        assert_eq!(ids(&outbox, now).await, due_by_definition(&path, now), "round {round}");
    }
    assert!(outbox.pending().await.expect("read") > 0, "pending deliveries remain, so the last comparisons were not empty");
}

#[tokio::test]
async fn an_outbox_file_without_the_table_of_next_deliveries_gets_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("outbox.db");
    let outbox = open(&directory);
    for (id, due) in [("n1", Millis(2000)), ("n2", Millis(1000)), ("n3", Millis(3000))] {
        outbox.accept(notification(id, &["a", id], due), None).await.expect("accepted");
    }
    drop(outbox);
    let old = store::open(&path).expect("opened");
    old.execute_batch("DROP TRIGGER next_delivery_on_insert; DROP TRIGGER next_delivery_on_update; DROP TABLE next_deliveries")
        .expect("the table and its triggers are dropped");
    drop(old);
    let outbox = open(&directory);
    assert_eq!(ids(&outbox, Millis(9000)).await, ["n2-0", "n2-1", "n1-1", "n3-1"]);
}

#[tokio::test]
async fn accepted_notifications_survive_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    open(&directory).accept(notification("n1", &["a"], Millis(0)), Some(("k".into(), "r".into()))).await.expect("accepted");
    let outbox = open(&directory);
    assert_eq!(outbox.pending().await.expect("read"), 1);
    let again = outbox.accept(notification("n2", &["a"], Millis(0)), Some(("k".into(), "r".into()))).await.expect("accepted");
    assert_eq!(again, Accepted { id: "n1".into(), replayed: true });
    let other = outbox.accept(notification("n3", &["a"], Millis(0)), Some(("k".into(), "other".into()))).await;
    assert!(matches!(other, Err(Refused::Conflict)));
}

#[tokio::test]
async fn concurrent_notifications_share_commits_and_none_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let outbox = open(&directory);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..90 {
        let outbox = outbox.clone();
        tasks.spawn(async move { outbox.accept(notification(&format!("n{n}"), &["a"], Millis(0)), None).await.is_ok() });
    }
    assert!(tasks.join_all().await.into_iter().all(|accepted| accepted));
    assert_eq!(outbox.pending().await.expect("read"), 90);
    let too_many: Vec<String> = (0..11).map(|n| format!("u{n}")).collect();
    let too_many: Vec<&str> = too_many.iter().map(String::as_str).collect();
    assert!(matches!(outbox.accept(notification("full", &too_many, Millis(0)), None).await, Err(Refused::Full)));
}

#[tokio::test]
async fn only_finished_notifications_are_pruned() {
    let directory = tempfile::tempdir().expect("a directory");
    let outbox = open(&directory);
    for n in 0..6 {
        outbox.accept(notification(&format!("n{n}"), &["a"], Millis(0)), None).await.expect("accepted");
    }
    assert_eq!(outbox.prune().await.expect("pruned"), 0, "all are pending");
    for n in [0, 1, 3, 5] {
        outbox.record_outcome(format!("n{n}-0"), delivered("e")).await.expect("stored");
    }
    assert_eq!(outbox.prune().await.expect("pruned"), 3, "the two newest notifications are kept in any state");
    let left = outbox.list(Filter { limit: 10, ..Filter::default() }).await.expect("read");
    let left: Vec<&str> = left.notifications.iter().map(|view| view.id.as_str()).collect();
    assert_eq!(left, ["n5", "n4", "n2"]);
}

#[tokio::test]
async fn deliveries_of_another_epoch_within_the_retention_become_pending_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let outbox = open(&directory);
    let past = Millis(0);
    for (id, users) in [("n1", &["a"][..]), ("n2", &["a", "b"]), ("n3", &["c"]), ("n4", &["d"])] {
        outbox.accept(notification(id, users, past), None).await.expect("accepted");
    }
    for (id, epoch) in [("n1-0", "old"), ("n2-0", "new"), ("n2-1", "old"), ("n3-0", "")] {
        outbox.record_outcome(id.into(), delivered(epoch)).await.expect("stored");
    }
    assert_eq!(outbox.users_with_deliveries(None, past, 1).await.expect("read"), ["a"]);
    assert_eq!(
        outbox.users_with_deliveries(Some("a".into()), past, 9).await.expect("read"),
        ["b"],
        "c has no history, and d has no delivery"
    );
    let lost = async |user: &str, since| outbox.requeue_lost(Target::User(user.into()), "new".into(), since).await.expect("stored");
    let future = Millis::now().plus(Duration::from_mins(1));
    assert_eq!((lost("a", future).await, lost("c", past).await, lost("d", past).await), (0, 0, 0));
    assert_eq!((lost("a", past).await, lost("a", past).await), (1, 0), "a pending delivery is not lost twice");
    assert_eq!(ids(&outbox, Millis::now()).await, ["n1-0", "n4-0"]);
    let view = outbox.find("n1".into()).await.expect("read").expect("there");
    assert_eq!((view.targets[0].state, view.targets[0].cause.as_deref()), (DeliveryState::Pending, Some("the gateway lost the history")));
    outbox.record_outcome("n1-0".into(), delivered("new")).await.expect("stored");
    assert_eq!(outbox.pending().await.expect("read"), 1);
}

#[tokio::test]
async fn a_file_without_the_epoch_column_gets_it() {
    let directory = tempfile::tempdir().expect("a directory");
    open(&directory).accept(notification("n1", &["a"], Millis(0)), None).await.expect("accepted");
    let file = rusqlite::Connection::open(directory.path().join("outbox.db")).expect("opened");
    file.execute_batch("ALTER TABLE deliveries DROP COLUMN epoch").expect("altered");
    let outbox = open(&directory);
    outbox.record_outcome("n1-0".into(), delivered("e")).await.expect("stored");
    assert_eq!(outbox.users_with_deliveries(None, Millis(0), 9).await.expect("read"), ["a"]);
}
