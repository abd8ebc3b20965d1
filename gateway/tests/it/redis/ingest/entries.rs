//! What becomes of entries.

use super::bed::{Fields, Node, add, add_numbers, config, connect, stream, texts};
use futures_util::future::join_all;
use gateway::{
    broker::RedisUsers,
    ingest::IngestCount,
    publish::{CallerIdentity, CallerKey, Draft},
    settings::Settings,
};
use gateway_core::queue::{DeadReason, StoredDeadLetter, StoredFields};
use redis_testing::{Login, Server};
use shared_proto::content::ContentBody;
use std::time::{Duration, Instant};

// NL-8.10, NL-8.12
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_published_once_and_in_order() {
    let redis = Server::start().await;
    let mut producer = connect(&redis.url()).await;
    let channels: Vec<_> = (0..5).map(|number| format!("log:{number}")).chain(["#ann".into()]).collect();
    for number in 0..500 {
        for channel in &channels {
            let (name, data) = (if channel == "#ann" { ("user", "ann") } else { ("channel", channel.as_str()) }, number.to_string());
            add(&mut producer, 0, &[&[(name.0, name.1.as_bytes()), ("data", data.as_bytes())]]).await;
        }
    }
    let node = Node::start(config(redis.url()), "");
    for number in 500..600 {
        for channel in &channels[..5] {
            add_numbers(&mut producer, 0, channel, number..number + 1).await;
        }
    }
    node.base.emptied(1).await;
    for channel in &channels[..5] {
        assert_eq!(node.base.published(channel).await, texts(0..600), "{channel}");
    }
    assert_eq!(node.base.published("#ann").await.len(), 100, "as many as the history of a user keeps");
    assert_eq!(node.counted(IngestCount::Published), 6 * 500 + 500);
    assert_eq!((node.counted(IngestCount::Repeated), node.counted(IngestCount::Retried)), (0, 0));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_fields_of_an_entry_arrive() {
    let redis = Server::start().await;
    let mut producer = connect(&redis.url()).await;
    let node = Node::start(config(redis.url()), "");
    let channel: (&str, &[u8]) = ("channel", b"log:a");
    let number = |seq: u64| format!(r#"{{"id":"p","epoch":1,"seq":{seq}}}"#);
    let (first, second) = (number(0), number(1));
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    add(
        &mut producer,
        0,
        &[
            &[channel, ("data", b" {\"n\": 1} "), ("tags", b"{\"kind\":\"a\"}"), ("traceparent", parent.as_bytes())],
            &[channel, ("data", b"2"), ("producer", first.as_bytes())],
            &[channel, ("data", b"2"), ("producer", first.as_bytes())],
            &[channel, ("data", b"3"), ("producer", second.as_bytes())],
            &[channel, ("data", b"4"), ("idempotency_key", b"k")],
            &[channel, ("data", b"4"), ("idempotency_key", b"k")],
            &[channel, ("data", b"5")],
        ],
    )
    .await;
    node.base.emptied(1).await;
    let published = node.base.published("log:a").await;
    assert_eq!((published[0].contains("\"n\""), &published[1..]), (true, &texts(2..6)[..]), "{published:?}");
    assert_eq!((node.counted(IngestCount::Published), node.counted(IngestCount::Repeated)), (5, 2));
    assert!(node.base.dead_letters(0).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_published_becomes_a_dead_letter_and_the_rest_goes_on() {
    let redis = Server::start().await;
    let mut producer = connect(&redis.url()).await;
    let mut config = config(redis.url());
    config.queues.as_mut().expect("with queues").max_ingest_dead = 100;
    let node = Node::start(config, "entry_bytes = \"8KiB\"");
    let (channel, data) = (("channel", b"log:a".as_slice()), ("data", b"7".as_slice()));
    let (large, larger) = (format!("\"{}\"", "x".repeat(1100)), "x".repeat(9000));
    let bad: [(Fields<'_>, DeadReason, &str); 18] = [
        (&[data], DeadReason::Malformed, "no field `channel`"),
        (&[channel], DeadReason::Malformed, "`data` is missing"),
        (&[channel, data, ("ttl", b"5")], DeadReason::Malformed, "ttl"),
        (&[channel, data, data], DeadReason::Malformed, "twice"),
        (&[channel, ("data", b"\"\xff\"")], DeadReason::Malformed, "not UTF-8"),
        (&[channel, data, ("\u{e4}", b"")], DeadReason::Malformed, "\u{e4}"),
        (&[channel, ("data", b"{")], DeadReason::Malformed, "`data`"),
        (&[channel, data, ("tags", b"7")], DeadReason::Malformed, "`tags`"),
        (&[channel, data, ("producer", b"{}")], DeadReason::Malformed, "`producer`"),
        (&[channel, data, ("idempotency_key", b"a b")], DeadReason::Malformed, "visible ASCII"),
        (&[channel, ("data", larger.as_bytes())], DeadReason::Malformed, "ingest.entry_bytes"),
        (&[("channel", b"a b"), data], DeadReason::Malformed, "`channel`"),
        (&[("user", b""), data], DeadReason::Malformed, "`user`"),
        (&[("channel", b"closed:a"), data], DeadReason::Unpublishable, "ingest.channels"),
        (&[("channel", b"nowhere:a"), data], DeadReason::Unpublishable, "No namespace"),
        (&[channel, ("data", large.as_bytes())], DeadReason::Unpublishable, "1024 are allowed"),
        (&[channel, data, ("producer", b"{\"id\":\"p\",\"epoch\":1,\"seq\":5}")], DeadReason::Unpublishable, "next number is 0"),
        (&[channel, data, ("idempotency_key", b"k")], DeadReason::Unpublishable, "another request"),
    ];
    add(&mut producer, 0, &[&[channel, ("data", b"0"), ("idempotency_key", b"k")]]).await;
    for (number, (fields, ..)) in (1..).zip(&bad) {
        add(&mut producer, 0, &[fields]).await;
        add_numbers(&mut producer, 0, "log:a", number..number + 1).await;
    }
    node.base.emptied(1).await;
    assert_eq!(node.base.published("log:a").await, texts(0..19));
    let letters = node.base.dead_letters(0).await;
    assert_eq!(letters.len(), bad.len());
    for (fields, reason, says) in bad {
        let has_fields = |letter: &&StoredDeadLetter| {
            let StoredFields::Read(stored) = &letter.fields else { return false };
            let stored = stored.iter().filter(|(name, _)| !name.starts_with(b"dead_"));
            stored.map(|(name, value)| (&**name, &**value)).eq(fields.iter().map(|(name, value)| (name.as_bytes(), *value)))
        };
        let letter = letters.iter().find(has_fields).unwrap_or_else(|| panic!("{says}: {letters:?}"));
        let problem: serde_json::Value = serde_json::from_str(&letter.detail).expect("a problem document");
        assert!(problem["status"].as_u64().is_some_and(|status| status >= 400) && problem["retryable"] == false, "{problem}");
        assert!(
            letter.reason == Some(reason) && problem["detail"].as_str().is_some_and(|detail| detail.contains(says)),
            "{says}: {letter:?}"
        );
    }
    assert_eq!(node.counted(IngestCount::Malformed) + node.counted(IngestCount::Unpublishable), 18);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_place_for_a_dead_letter_its_channel_waits_and_others_go_on() {
    let redis = Server::start().await;
    let mut producer = connect(&redis.url()).await;
    let mut config = config(redis.url());
    config.queues.as_mut().expect("with queues").max_ingest_dead = 1;
    let node = Node::start(config, "");
    for channel in ["log:a", "log:b"] {
        add(&mut producer, 0, &[&[("channel", channel.as_bytes()), ("data", b"{")]]).await;
        add_numbers(&mut producer, 0, channel, 0..3).await;
    }
    add_numbers(&mut producer, 0, "log:c", 0..3).await;
    node.has_counted(IngestCount::Published, 6).await;
    crate::redis::support::eventually("the problem", || node.ingest.full_dead_letters().is_some()).await;
    assert_eq!(node.base.published("log:c").await, texts(0..3));
    assert_eq!(node.base.status(0).await.depth, 4);
    let letter = node.base.dead_letters(0).await.remove(0);
    let store = &node.base.store;
    assert!(gateway::queues::QueueStore::drop_dead(&**store, &super::bed::at(0), letter.id).await.expect("dropped"));
    node.base.emptied(1).await;
    for channel in ["log:a", "log:b"] {
        assert_eq!(node.base.published(channel).await, texts(0..3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_without_history_get_each_entry() {
    let redis = Server::start().await;
    let mut producer = connect(&redis.url()).await;
    let mailboxes = crate::redis::support::mailboxes();
    let (listener, _guard) = crate::redis::support::start(crate::redis::support::config(redis.url()), mailboxes.clone());
    let mut inbox = gateway::testing::fixtures::Inbox::new(&mailboxes[0]);
    let channel = gateway::testing::fixtures::channel("live:a");
    listener.subscribe(&channel, gateway::testing::fixtures::worker(0), None).await.expect("subscribed");
    add_numbers(&mut producer, 0, "live:a", 0..200).await;
    let node = Node::start(config(redis.url()), "");
    node.base.emptied(1).await;
    for number in 0..200 {
        assert_eq!(gateway::testing::fixtures::json(&inbox.publication().await.1), number.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_the_documented_rights_can_only_add_entries() {
    let settings = Settings::from_toml("broker.kind = \"redis\"\nredis.prefix = \"test\"\n[ingest]\nchannels = [\"*\"]").expect("valid");
    let users = RedisUsers::try_from(&settings).expect("valid").to_string();
    let rule = users.lines().find_map(|line| line.strip_prefix("ACL SETUSER test-ingest reset on >PASSWORD ")).expect("a user for ingest");
    let rights: Vec<_> = rule.split(' ').collect();
    let redis = Server::start().await;
    let login = Login::new("orders", "secret");
    redis.set_user(&login, &rights).await;
    let mut producer = connect(&redis.url_of(&login)).await;
    add_numbers(&mut producer, 0, "log:a", 0..3).await;
    for refused in [
        vec!["XADD", "test:{log:a}:stream", "*", "d", "1"],
        vec!["XADD", "test:ingest:{0}:dead", "*", "d", "1"],
        vec!["XRANGE", &stream(0), "-", "+"],
        vec!["XDEL", &stream(0), "1-1"],
        vec!["DEL", &stream(0)],
        vec!["XGROUP", "DESTROY", &stream(0), "gateway"],
        vec!["GET", "test:ingest:{0}:owner"],
        vec!["PUBLISH", "test:{log:a}", "x"],
        vec!["KEYS", "*"],
    ] {
        let answer = redis::cmd(refused[0]).arg(&refused[1..]).exec_async(&mut producer).await;
        assert!(answer.as_ref().is_err_and(|error| error.to_string().contains("permission")), "{refused:?}: {answer:?}");
    }
    let node = Node::start(config(redis.url()), "");
    node.base.emptied(1).await;
    assert_eq!(node.base.published("log:a").await, texts(0..3));
}

/// Prints how many entries a node publishes in a second, and how many publications with keys that are handed over as a REST batch hands them over:
/// `cargo test -p gateway --test it redis::ingest::entries::many -- --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_entries_are_published_quickly_and_in_bounded_memory() {
    const ENTRIES: u64 = 20_000;
    let redis = Server::start().await;
    let mut producer = connect(&redis.url()).await;
    for number in 0..ENTRIES / 100 {
        add_numbers(&mut producer, 0, &format!("log:{}", number % 20), number * 100..(number + 1) * 100).await;
    }
    let begin = Instant::now();
    let node = Node::start(config(redis.url()), "");
    node.has_counted(IngestCount::Published, ENTRIES).await;
    let ingest = begin.elapsed();
    node.base.emptied(1).await;
    let begin = Instant::now();
    for batch in 0..ENTRIES / 200 {
        let drafts = (0..200).map(|number| {
            let data = ContentBody::Json(serde_json::from_str(&number.to_string()).expect("JSON"));
            let key = CallerKey::new("dev", &format!("{batch}-{number}")).expect("valid");
            let channel = format!("log:{}", number % 20);
            Draft::parse(&channel, data, [].into(), false).expect("valid").within(None, Some(CallerIdentity::Key(key)))
        });
        let mut answers = Vec::new();
        for draft in drafts {
            answers.push(node.base.publisher.hand_over(draft).await.expect("handed over"));
        }
        assert!(join_all(answers).await.iter().all(Result::is_ok));
    }
    let per_second = |time: Duration| ENTRIES as f64 / time.as_secs_f64();
    println!("ingest: {:.0} entries/s, batches: {:.0} publications/s", per_second(ingest), per_second(begin.elapsed()));
    assert!(ingest < Duration::from_secs(20));
}
