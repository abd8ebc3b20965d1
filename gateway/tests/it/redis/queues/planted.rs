//! What other programs write into the keys of queues, and what a server may have lost.

use crate::redis::support::{config, queues_of, with_queues};
use gateway::{
    broker::{BrokerError, RedisQueues},
    queues::{OwnedError, QueueStore as _},
    testing::contract::queues::{ALL, QueueFixture, entry, ids, letter, owner, partition},
};
use gateway_core::queue::{DeadLettered, DeadReason, PartitionId, RawEntry, ReadLimits, StoredFields};
use redis_testing::{Reply, Server};
use std::sync::Arc;

struct Bed {
    fixture: QueueFixture<RedisQueues>,
    server: Arc<Server>,
}

impl Bed {
    async fn start() -> Self {
        let server = Arc::new(Server::start().await);
        Self { fixture: queues_of(with_queues(config(server.url())), server.clone()), server }
    }

    /// Runs a program in Redis, on one key of the partition.
    async fn run(&self, at: &PartitionId, what: &str, program: &str) -> Reply {
        self.server.command(&["EVAL", program, "1", &key(at, what)]).await
    }
}

fn key(at: &PartitionId, what: &str) -> String {
    format!("test:queue:{{{at}}}:{what}")
}

fn says_wrong_type<T: std::fmt::Debug>(what: &str, result: Result<T, BrokerError>) {
    let says = matches!(&result, Err(BrokerError::Unavailable(why)) if why.contains("wrong type") && why.contains("test:queue:{"));
    assert!(says, "{what}: {result:?}");
}

fn broker<T>(result: Result<T, OwnedError>) -> Result<T, BrokerError> {
    result.map_err(|error| if let OwnedError::Broker(error) = error { error } else { panic!("{error}") })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_another_type_are_reported_and_left_alone() {
    let Bed { fixture, server } = &Bed::start().await;
    let at = partition("entries");
    server.command(&["SET", &key(&at, "entries"), "theirs"]).await;
    let store = &fixture.store;
    says_wrong_type("hand_over", store.hand_over(&at, entry("1")).await.expect("handed over").await);
    says_wrong_type("acquire", store.acquire(&at, &owner("a")).await);
    says_wrong_type("status", store.status(&at).await);
    says_wrong_type("purge", store.purge(&at, 1).await);
    server.command(&["SET", &key(&at, "owner"), "me", "PX", "60000"]).await;
    assert_eq!(server.command(&["GET", &key(&at, "entries")]).await.text(), "theirs");
    let mut keys = server.command(&["KEYS", &key(&at, "*")]).await.texts();
    keys.sort();
    assert_eq!(keys, [key(&at, "entries"), key(&at, "owner")], "nothing else changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_keys_of_another_type_are_reported_and_left_alone() {
    let Bed { fixture, server } = &Bed::start().await;
    let store = &fixture.store;
    for what in ["owner", "epoch"] {
        let at = partition(what);
        server.command(&["RPUSH", &key(&at, what), "theirs"]).await;
        says_wrong_type(what, store.acquire(&at, &owner("a")).await);
        assert_eq!(server.command(&["KEYS", &key(&at, "*")]).await.texts(), [key(&at, what)]);
    }
    let at = partition("once");
    server.command(&["RPUSH", &key(&at, "once:id:1"), "theirs"]).await;
    says_wrong_type("once", store.hand_over(&at, entry("1")).await.expect("handed over").await);
    fixture.put(&at, "2").await;

    let at = partition("dead");
    server.command(&["SET", &key(&at, "dead"), "theirs"]).await;
    let (me, _) = fixture.acquire(&at).await;
    let entries = fixture.put_and_read(&at, &me, &["1"]).await;
    says_wrong_type(
        "move_to_dead_letters",
        broker(store.move_to_dead_letters(&at, &me, &letter(entries[0].id, DeadReason::Refused)).await),
    );
    says_wrong_type("dead_letters", store.dead_letters(&at, None, ALL).await);
    says_wrong_type("replay", store.replay(&at, entries[0].id).await);
    says_wrong_type("drop_dead", store.drop_dead(&at, entries[0].id).await);
    assert_eq!(fixture.pending(&at, &me).await, entries, "the entry waits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_other_programs_are_read_as_they_are_and_can_be_dead_letters_and_replayed() {
    let bed = &Bed::start().await;
    let (fixture, at) = (&bed.fixture, partition("foreign"));
    bed.run(&at, "entries", r"return redis.call('XADD', KEYS[1], '*', '\255\254', '\0\r\n')").await;
    bed.run(&at, "entries", r"return redis.call('XADD', KEYS[1], '*', '', '')").await;
    let (me, _) = fixture.acquire(&at).await;
    let entries = fixture.read(&at, &me).await;
    let field = |name: &'static [u8], value: &'static [u8]| StoredFields::Read(vec![(name.into(), value.into())]);
    let fields: Vec<_> = entries.iter().map(|entry| &entry.fields).collect();
    assert_eq!(fields, [&field(b"\xff\xfe", b"\0\r\n"), &field(b"", b"")]);
    for entry in &entries {
        assert_eq!(fixture.store.move_to_dead_letters(&at, &me, &letter(entry.id, DeadReason::Malformed)).await, Ok(DeadLettered::Moved));
    }
    let dead = fixture.store.dead_letters(&at, None, ALL).await.expect("listed");
    assert_eq!(dead.iter().map(|letter| &letter.fields).collect::<Vec<_>>(), fields);
    for letter in &dead {
        assert_eq!(fixture.store.replay(&at, letter.id).await, Ok(true));
    }
    let again = fixture.read(&at, &me).await;
    assert_eq!(again.iter().map(|entry| &entry.fields).collect::<Vec<_>>(), fields);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_any_size_can_be_dead_letters() {
    let bed = &Bed::start().await;
    let (fixture, at) = (&bed.fixture, partition("large"));
    let mut connection = bed.server.connection().await;
    // More fields than Lua passes to a command.
    let (entries, names): (_, Vec<_>) = (key(&at, "entries"), (0..6000).map(|number| format!("n{number}")).collect());
    connection.command(&["XADD", &entries, "*", "large", &"x".repeat(5_000_000)]).await.expect("added");
    let many = ["XADD", &entries, "*"].into_iter().chain(names.iter().flat_map(|name| [name.as_str(), "v"]));
    connection.command(&many.collect::<Vec<_>>()).await.expect("added");
    let (me, _) = fixture.acquire(&at).await;
    let read = fixture.read(&at, &me).await;
    assert_eq!(read[0].fields, StoredFields::TooLarge(5_000_005));
    assert!(matches!(&read[1].fields, StoredFields::Read(fields) if fields.len() == 6000));
    for entry in &read {
        assert_eq!(fixture.store.move_to_dead_letters(&at, &me, &letter(entry.id, DeadReason::Malformed)).await, Ok(DeadLettered::Moved));
    }
    let dead = fixture.store.dead_letters(&at, None, ALL).await.expect("listed");
    assert_eq!((&dead[0].fields, &*dead[0].detail), (&StoredFields::TooLarge(5_000_005), "it broke"));
    assert!(matches!(&dead[1].fields, StoredFields::Read(fields) if fields.len() == 1000));
    assert_eq!(&*dead[1].detail, "5000 of 6000 fields are left out; it broke");
    assert_eq!(fixture.store.status(&at).await.expect("a status").depth, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_of_other_programs_are_shown() {
    let bed = &Bed::start().await;
    let (fixture, at) = (&bed.fixture, partition("foreign-dead"));
    bed.run(&at, "dead", "return redis.call('XADD', KEYS[1], '1-1', 'a', 'b')").await;
    bed.run(
        &at,
        "dead",
        "return redis.call('XADD', KEYS[1], '1-2', 'dead_entry', '7-7', 'dead_reason', 'x', 'dead_tries', 'y', 'dead_detail', 'z')",
    )
    .await;
    bed.run(
        &at,
        "dead",
        r"return redis.call('XADD', KEYS[1], '1-3', 'a', 'b', 'dead_entry', 'x', 'dead_reason', '', 'dead_tries', '-1', 'dead_detail', '\255')",
    )
    .await;
    let dead = fixture.store.dead_letters(&at, None, ALL).await.expect("listed");
    let shown: Vec<_> = dead.iter().map(|letter| (letter.entry.to_string(), letter.reason, letter.tries, letter.fields.bytes())).collect();
    assert_eq!(shown, [("1-1".into(), None, 0, 2), ("1-2".into(), None, 0, 48), ("1-3".into(), None, 0, 2)]);
    let (me, _) = fixture.acquire(&at).await;
    for letter in &dead {
        assert_eq!(fixture.store.replay(&at, letter.id).await, Ok(true));
    }
    assert_eq!(fixture.read(&at, &me).await.iter().map(|entry| entry.fields.bytes()).collect::<Vec<_>>(), [2, 48, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_others_delete_are_gone_and_leave_nothing_pending() {
    let bed = &Bed::start().await;
    let (fixture, at) = (&bed.fixture, partition("deleted"));
    let (me, _) = fixture.acquire(&at).await;
    let entries = fixture.put_and_read(&at, &me, &["1", "2"]).await;
    let first = entries[0].id;
    bed.server.command(&["XDEL", &key(&at, "entries"), &first.to_string()]).await;
    let gone = RawEntry { id: first, tries: 0, fields: StoredFields::Gone };
    assert_eq!(fixture.pending(&at, &me).await, [gone.clone(), entries[1].clone()]);
    assert_eq!(fixture.store.load(&at, &me, &[first], ALL).await, Ok(vec![gone]));
    assert_eq!(fixture.store.move_to_dead_letters(&at, &me, &letter(first, DeadReason::Tries)).await, Ok(DeadLettered::Moved));
    assert_eq!(fixture.pending(&at, &me).await, entries[1..]);
    assert_eq!(fixture.store.dead_letters(&at, None, ALL).await, Ok(Vec::new()));
    let status = fixture.store.status(&at).await.expect("a status");
    assert_eq!((status.depth, status.read), (1, 1));
}

/// A consumer that somebody made by hand loses what it read to the next owner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_owner_takes_over_from_every_consumer_and_deletes_it() {
    let bed = &Bed::start().await;
    let (fixture, at) = (&bed.fixture, partition("consumers"));
    let entries = key(&at, "entries");
    let (me, _) = fixture.acquire(&at).await;
    fixture.put_and_read(&at, &me, &["1"]).await;
    fixture.put(&at, "2").await;
    bed.server.command(&["XREADGROUP", "GROUP", "gateway", "by-hand", "COUNT", "1", "STREAMS", &entries, ">"]).await;
    fixture.store.release(&at, &me).await.expect("released");
    let (next, _) = fixture.acquire(&at).await;
    assert_eq!(ids(&fixture.pending(&at, &next).await), ["1", "2"]);
    let consumers = bed.server.command(&["XINFO", "CONSUMERS", &entries, "gateway"]).await.list();
    let names: Vec<_> = consumers.into_iter().map(|consumer| consumer.list()[1].clone().text()).collect();
    assert_eq!(names, [next.as_str()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_loses_a_partition_whose_group_or_stream_is_deleted() {
    let bed = &Bed::start().await;
    let fixture = &bed.fixture;
    for command in [["XGROUP", "DESTROY"].as_slice(), &["DEL"]] {
        let at = partition(&command[0].to_lowercase());
        let entries = key(&at, "entries");
        let (me, first) = fixture.acquire(&at).await;
        fixture.put_and_read(&at, &me, &["1"]).await;
        let group: &[&str] = if command.len() > 1 { &["gateway"] } else { &[] };
        bed.server.command(&[command, &[&*entries], group].concat()).await;
        assert_eq!(fixture.store.read_new(&at, &me, ALL).await, Err(OwnedError::NotOwner));
        let (next, second) = fixture.acquire(&at).await;
        assert!(second.epoch > first.epoch);
        fixture.put(&at, "2").await;
        let expected: &[&str] = if command.len() > 1 { &["1", "2"] } else { &["2"] };
        assert_eq!(ids(&fixture.read(&at, &next).await), expected, "{command:?}");
    }
}

/// A large entry is measured in Redis, and never sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_above_the_limit_is_not_sent() {
    let bed = &Bed::start().await;
    let (fixture, at) = (&bed.fixture, partition("not-sent"));
    bed.server.command(&["XADD", &key(&at, "entries"), "*", "large", &"x".repeat(3_000_000)]).await;
    let (me, _) = fixture.acquire(&at).await;
    let sent = async || {
        let stats = bed.server.info("stats").await;
        let line = stats.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:")).expect("a line").to_owned();
        line.trim().parse::<u64>().expect("a number")
    };
    let before = sent().await;
    let limits = ReadLimits { entry_bytes: 1000, ..ALL };
    let read = fixture.store.read_new(&at, &me, limits).await.expect("read");
    assert_eq!(read[0].fields, StoredFields::TooLarge(3_000_005));
    fixture.store.pending(&at, &me, None, limits).await.expect("read");
    assert!(sent().await - before < 1_000_000);
}

/// What the server lost: that the owner read these entries.
async fn forget_reads(bed: &Bed, at: &PartitionId, read: &[RawEntry]) {
    let entries = key(at, "entries");
    for entry in read {
        bed.server.command(&["XACK", &entries, "gateway", &entry.id.to_string()]).await;
    }
    bed.server.command(&["XGROUP", "SETID", &entries, "gateway", "0"]).await;
}

// NL-8.5, NL-8.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_what_was_read_ends_the_ownership_and_hands_it_out_again() {
    let bed = &Bed::start().await;
    let (fixture, store) = (&bed.fixture, &bed.fixture.store);
    for what in ["load", "move_to_dead_letters", "read"] {
        let at = partition(what);
        let (me, _) = fixture.acquire(&at).await;
        let read = fixture.put_and_read(&at, &me, &["1", "2"]).await;
        forget_reads(bed, &at, &read).await;
        let first = read[0].id;
        match what {
            "load" => assert_eq!(store.load(&at, &me, &[first], ALL).await, Err(OwnedError::NotOwner)),
            "move_to_dead_letters" => {
                assert_eq!(store.move_to_dead_letters(&at, &me, &letter(first, DeadReason::Tries)).await, Err(OwnedError::NotOwner));
            }
            _ => assert_eq!(store.read_new(&at, &me, ALL).await, Err(OwnedError::NotOwner)),
        }
        assert_eq!(store.acknowledge(&at, &me, &[first]).await, Err(OwnedError::NotOwner), "{what}");
        let (next, _) = fixture.acquire(&at).await;
        assert_eq!(ids(&fixture.read(&at, &next).await), ["1", "2"], "{what}");
    }
}

// NL-8.9
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_memory_lets_an_owner_empty_the_queue() {
    let bed = &Bed::start().await;
    let (fixture, at) = (&bed.fixture, partition("memory"));
    let (me, _) = fixture.acquire(&at).await;
    let read = fixture.put_and_read(&at, &me, &["1", "2"]).await;
    fixture.store.release(&at, &me).await.expect("released");
    bed.server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let (next, _) = fixture.acquire(&at).await;
    assert_eq!(ids(&fixture.pending(&at, &next).await), ["1", "2"]);
    assert_eq!(fixture.store.acknowledge(&at, &next, &[read[0].id, read[1].id]).await, Ok(()));
    assert_eq!(fixture.store.status(&at).await.expect("a status").depth, 0);
}
