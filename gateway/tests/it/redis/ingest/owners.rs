//! Owners that die, freeze, and meet.

use super::bed::{Base, Node, add_numbers, at, config, connect, texts};
use gateway::{
    broker::RedisConfig,
    ingest::IngestCount,
    publish::{Draft, EntryError},
    queues::QueueStore as _,
};
use gateway_core::queue::{EntryId, EntryPlace, OwnerId, ReadLimits};
use redis_testing::Server;
use shared_proto::content::ContentBody;
use std::{thread, time::Duration};
use tokio::time::sleep;

const LIMITS: ReadLimits = ReadLimits { entries: 1000, bytes: 1 << 20, entry_bytes: 1 << 20 };

fn named(name: &str, config: RedisConfig) -> RedisConfig {
    RedisConfig { node: name.into(), ..config }
}

/// Publishes an entry whose data is this number, as an owner with this epoch does.
pub(super) async fn publish(
    base: &Base,
    channel: &str,
    number: u64,
    epoch: u64,
    entry: EntryId,
    after: Option<EntryId>,
) -> Result<bool, EntryError> {
    let data = ContentBody::Json(serde_json::from_str(&number.to_string()).expect("JSON"));
    let draft = Draft::of(channel.parse().expect("valid"), data, [].into()).expect("valid");
    let place = EntryPlace { partition: 0, epoch, entry, after };
    base.publisher.hand_over_entry(draft, place).await?.await.map(|published| !published.replayed)
}

// NL-8.5, NL-8.6, NL-8.10, NL-8.11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_owner_published_is_not_published_again_even_after_its_keys_are_forgotten() {
    let redis = Server::start().await;
    let mut producer = connect(&redis.url()).await;
    add_numbers(&mut producer, 0, "log:a", 0..5).await;
    add_numbers(&mut producer, 0, "log:b", 5..8).await;
    let killed = Base::start(named("killed", config(redis.url())), "");
    let owner = OwnerId::new("killed");
    let epoch = killed.store.acquire(&at(0), &owner).await.expect("acquired").expect("it is free").epoch;
    let entries = killed.store.read_new(&at(0), &owner, LIMITS).await.expect("read");
    assert_eq!(entries.len(), 8);
    // It published three, and acknowledged none of them.
    for number in 0..3 {
        assert_eq!(publish(&killed, "log:a", number, epoch, entries[number as usize].id, None).await, Ok(true));
    }
    sleep(Duration::from_secs(4)).await;
    add_numbers(&mut producer, 0, "log:a", 5..8).await;
    let node = Node::start(named("node", config(redis.url())), "");
    node.base.emptied(1).await;
    assert_eq!(node.base.published("log:a").await, texts(0..8));
    assert_eq!(node.base.published("log:b").await, texts(5..8));
    assert_eq!((node.counted(IngestCount::Published), node.counted(IngestCount::Repeated)), (8, 3));
    let late = EntryId { ms: entries[7].id.ms + 1_000_000, seq: 0 };
    assert_eq!(publish(&killed, "log:a", 99, epoch, late, None).await, Err(EntryError::Stale), "the killed one wakes");
    assert_eq!(killed.store.acknowledge(&at(0), &owner, &[late]).await, Err(gateway::queues::OwnedError::NotOwner));
    assert!(node.base.dead_letters(0).await.is_empty());
}

/// Stops all tasks of a thread, as a frozen process does.
#[expect(clippy::disallowed_methods, reason = "the thread has to stop")]
fn stop_this_thread(time: Duration) {
    thread::sleep(time);
}

// NL-8.11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_was_frozen_changes_nothing_when_it_wakes() {
    let redis = Server::start().await;
    let mut producer = connect(&redis.url()).await;
    let url = redis.url();
    let (report, reported) = tokio::sync::oneshot::channel();
    // A node with one thread, which can be stopped like a process.
    let frozen = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let node = Node::start(named("frozen", config(url)), "batch = 4");
            node.has_counted(IngestCount::Published, 1).await;
            report.send(()).expect("awaited");
            for _ in 0..4 {
                stop_this_thread(Duration::from_millis(1500));
                sleep(Duration::from_millis(400)).await;
            }
            node.stop().await;
        });
    });
    let adds = async {
        for number in 0..600 {
            add_numbers(&mut producer, 0, "log:a", number..number + 1).await;
            add_numbers(&mut producer, 0, "log:b", number..number + 1).await;
            sleep(Duration::from_millis(10)).await;
        }
    };
    let second = async {
        reported.await.expect("it published");
        Node::start(named("other", config(redis.url())), "")
    };
    let ((), node) = tokio::join!(adds, second);
    tokio::task::spawn_blocking(move || frozen.join()).await.expect("no panic").expect("it ends");
    node.base.emptied(1).await;
    for channel in ["log:a", "log:b"] {
        assert_eq!(node.base.published(channel).await, texts(0..600));
    }
    assert!(node.counted(IngestCount::Published) > 0, "it took over");
    assert!(node.base.dead_letters(0).await.is_empty());
}

// NL-8.5, NL-8.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_that_are_killed_again_and_again_lose_and_repeat_nothing() {
    let redis = Server::start().await;
    let mut producer = connect(&redis.url()).await;
    let adds = async {
        for number in 0..1500 {
            add_numbers(&mut producer, 0, "log:a", number..number + 1).await;
            add_numbers(&mut producer, 1, "log:b", number..number + 1).await;
            sleep(Duration::from_millis(5)).await;
        }
    };
    let url = redis.url();
    let kills = async {
        for number in 0..5 {
            let node = Node::start(named(&format!("n{number}"), config(url.clone())), "partitions = 2");
            sleep(Duration::from_millis(1700)).await;
            node.kill();
        }
    };
    tokio::join!(adds, kills);
    let node = Node::start(named("last", config(redis.url())), "partitions = 2");
    crate::redis::support::eventually("it owns both", || node.ingest.stats().owned() == 2).await;
    node.base.emptied(2).await;
    for channel in ["log:a", "log:b"] {
        assert_eq!(node.base.published(channel).await, texts(0..1500));
    }
    assert!(node.base.dead_letters(0).await.is_empty());
    // A node that stops gives its partitions up at once.
    node.stop().await;
    let base = Base::start(named("next", config(redis.url())), "");
    assert_eq!(base.status(0).await.owner, None);
}

// NL-8.11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_entry_that_its_channel_has_passed_is_kept_as_a_dead_letter() {
    let redis = Server::start().await;
    let mut producer = connect(&redis.url()).await;
    let base = Base::start(named("clock", config(redis.url())), "");
    // The clock of the stream was ahead, and is set back.
    let ahead = EntryId { ms: 4_000_000_000_000, seq: 0 };
    assert_eq!(publish(&base, "log:a", 0, 1, ahead, None).await, Ok(true));
    add_numbers(&mut producer, 0, "log:a", 1..2).await;
    add_numbers(&mut producer, 0, "log:b", 1..2).await;
    let node = Node::start(named("node", config(redis.url())), "");
    node.base.emptied(1).await;
    assert_eq!((node.base.published("log:a").await, node.base.published("log:b").await), (texts([0]), texts([1])));
    let letters = node.base.dead_letters(0).await;
    assert!(letters.len() == 1 && letters[0].detail.contains("clock"), "{letters:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_above_the_settings_that_has_entries_is_a_problem_until_it_is_empty() {
    let redis = Server::start().await;
    let mut producer = connect(&redis.url()).await;
    add_numbers(&mut producer, 2, "log:a", 0..1).await;
    let node = Node::start(config(redis.url()), "partitions = 2");
    let says = |what: &'static str| move |problem: Option<String>| problem.is_some_and(|problem| problem.contains(what));
    crate::redis::support::eventually("the problem", || says("set it to 3 or more until partition 2 is empty")(node.ingest.problem()))
        .await;
    let more = Node::start(named("more", config(redis.url())), "partitions = 3");
    more.base.emptied(3).await;
    crate::redis::support::eventually("no problem", || node.ingest.problem().is_none()).await;
    assert_eq!(more.base.published("log:a").await, texts([0]));
}
