use super::{
    store::{Now, Store},
    *,
};
use crate::{
    broker::{Announcement, Broker, BrokerError, BrokerStats, Delivery, Mailbox, MailboxEntry, NewPublication, Trimmed, UserSubscription},
    testing::{
        contract::BrokerFixture,
        fixtures::{ALL, HOUR, channel, client, kept, key, offset, producer, retention, taken, worker},
    },
};
use gateway_core::model::{ConnectionId, Page, Position, ReadRange, Retention, Tick};
use proptest::prelude::*;
use std::{sync::Arc, time::Duration};

fn fixture() -> BrokerFixture {
    let limits = MemoryLimits::default();
    let mailboxes: Vec<_> = (0..2).map(|_| Arc::new(Mailbox::new(1024, 1 << 24))).collect();
    let idempotency_ttl = limits.idempotency_ttl;
    let broker = Arc::new(Broker::Memory(MemoryBroker::new(mailboxes.clone(), limits)));
    BrokerFixture { broker, mailboxes, idempotency_ttl, pass: |time| Box::pin(tokio::time::advance(time)), keep: Box::new(()) }
}

crate::contract! { [tokio::test(start_paused = true)] [tokio::test(flavor = "multi_thread", worker_threads = 4)] fixture() }

const LIMITS: MemoryLimits = MemoryLimits {
    idempotency_ttl: HOUR,
    idempotency_keys: 10,
    answers: 10,
    answers_bytes: 100_000,
    producers: 10,
    history_bytes: 100_000,
    position_ttl: HOUR,
    idle_channels: 10,
    subscriptions_per_user: 2,
    user_subscriptions: 3,
    revocations: 10,
};

fn store(limits: &MemoryLimits) -> Store {
    Store::new(vec![Arc::new(Mailbox::new(1024, 1 << 24))], limits)
}

fn at(seconds: u64) -> Now {
    Now { tick: Tick(1000 * seconds), unix_ms: 1000 * seconds }
}

/// Publishes, and returns the position.
fn publish(store: &Store, seconds: u64, name: &str, keep: Retention) -> Position {
    let published = store.publish(at(seconds), &channel(name), kept("data", keep)).expect("published");
    published.position.expect("kept")
}

fn read(store: &Store, seconds: u64, name: &str) -> Page {
    store.read(at(seconds), &channel(name), retention(1, HOUR), ReadRange::After(0), ALL)
}

fn sweep(store: &Store, seconds: u64) {
    for shard in 0..Store::SHARDS {
        while store.sweep_shard(at(seconds), shard) {}
    }
    store.sweep_rest(at(seconds));
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

#[test]
fn an_unused_channel_leaves_no_data() {
    let store = store(&LIMITS);
    for round in 0..100 {
        let name = channel(&format!("c:{round}"));
        store.subscribe(&name, worker(0));
        store.presence_add(&name, client("alice"));
        let present = store.presence(&name, 1);
        publish(&store, 0, &name, retention(10, minutes(1)));
        store.presence_remove(at(0), &name, present[0].client);
        store.unsubscribe(at(0), &name, worker(0));
        taken_by_worker(&store);
    }
    assert_eq!((store.stats().channels, store.stats().publications), (100, 100), "the histories keep them");
    sweep(&store, 59);
    assert_eq!(store.stats().channels, 100);
    sweep(&store, 60);
    let stats = store.stats();
    assert_eq!((stats.channels, stats.publications, stats.bytes), (0, 0, 0));
    assert_eq!((stats.idle_channels, stats.idle_evicted), (10, 90), "only some positions stay");
    assert_eq!(stats.trimmed, Trimmed { expired: 100, ..Trimmed::default() });
    sweep(&store, 60 + 3600);
    assert_eq!(store.stats().idle_channels, 0);
}

fn taken_by_worker(store: &Store) -> usize {
    taken(&store.mailboxes()[0]).len()
}

#[test]
fn a_publication_without_retention_leaves_no_data() {
    let store = store(&LIMITS);
    let name = channel("c");
    let publication = NewPublication { retention: None, ..kept(1, retention(1, HOUR)) };
    store.publish(at(0), &name, publication).expect("published");
    store.announce(&name, Announcement::Join(client("alice")));
    store.clear(at(0), &name);
    store.unsubscribe(at(0), &name, worker(0));
    store.presence_remove(at(0), &name, ConnectionId::random());
    assert_eq!(store.stats(), BrokerStats::default());
}

#[test]
fn an_idle_channel_continues_until_it_is_evicted() {
    let store = store(&LIMITS);
    let keep = retention(10, minutes(1));
    let first = publish(&store, 0, "c", keep);
    sweep(&store, 60);
    assert_eq!(store.stats().idle_channels, 1);
    let second = publish(&store, 60 + 3599, "c", keep);
    assert_eq!((second.epoch, second.offset), (first.epoch, 2));
    sweep(&store, 60 + 3599 + 60);
    let page = read(&store, 60 + 3599 + 60 + 3600, "c");
    assert_ne!(page.epoch, first.epoch, "a new epoch informs returning clients of the loss");
    assert_eq!(page.top, 0);
}

#[test]
fn a_read_keeps_an_idle_channel_and_the_longest_idle_go_first() {
    let store = store(&LIMITS);
    let epochs: Vec<_> = (0..10).map(|n| read(&store, 0, &format!("c:{n}")).epoch).collect();
    assert_eq!(read(&store, 1, "c:0").epoch, epochs[0]);
    read(&store, 2, "another");
    assert_eq!(store.stats().idle_evicted, 1);
    assert_eq!(read(&store, 3, "c:0").epoch, epochs[0], "it was used after the others");
    assert_ne!(read(&store, 3, "c:1").epoch, epochs[1]);
    assert_eq!(store.stats().idle_channels, 10);
}

#[test]
fn a_subscribed_channel_keeps_its_epoch_whatever_happens_to_idle_ones() {
    let store = store(&LIMITS);
    store.subscribe(&channel("c"), worker(0));
    let first = publish(&store, 0, "c", retention(1, minutes(1)));
    (0..100).for_each(|n| _ = read(&store, 1, &format!("c:{n}")));
    sweep(&store, 1_000_000);
    let next = publish(&store, 1_000_001, "c", retention(1, minutes(1)));
    assert_eq!((next.epoch, next.offset), (first.epoch, 2));
}

#[test]
fn a_history_that_goes_on_is_not_ended_by_its_first_timer() {
    let store = store(&LIMITS);
    let keep = retention(1000, minutes(1));
    for second in 0..300 {
        publish(&store, second, "c", keep);
        sweep(&store, second);
    }
    assert_eq!(store.stats().publications, 300);
    sweep(&store, 299 + 59);
    assert_eq!(store.stats().publications, 300);
    sweep(&store, 299 + 60);
    assert_eq!(store.stats().publications, 0);
}

#[test]
fn all_histories_together_are_bounded_and_large_ones_are_trimmed() {
    let store = store(&LIMITS);
    let keep = retention(u32::MAX, HOUR);
    (0..100).for_each(|n| _ = publish(&store, 0, &format!("small:{n}"), keep));
    for _ in 0..5000 {
        publish(&store, 1, "large", keep);
        assert!(store.stats().bytes <= LIMITS.history_bytes);
    }
    let stats = store.stats();
    assert_eq!(stats.publications as u64 + stats.trimmed.bytes, 5100, "every trim is counted");
    let page = read(&store, 1, "large");
    assert_eq!(page.top, 5000);
    let held = page.publications.len() as u64;
    assert!(held > 100, "it still holds what there is room for, {held}");
    assert_eq!(offset(&page.publications[0]), 5001 - held, "the oldest were trimmed, and a reader sees that");
}

#[test]
fn many_small_histories_are_bounded_too() {
    let store = store(&LIMITS);
    (0..10_000).for_each(|n| _ = publish(&store, n / 100, &format!("c:{n}"), retention(1, HOUR)));
    let stats = store.stats();
    assert!(stats.bytes <= LIMITS.history_bytes && stats.channels < 1000, "{stats:?}");
    assert_eq!((stats.channels, stats.idle_channels), (stats.publications, 10));
    assert_eq!(stats.publications as u64 + stats.trimmed.bytes, 10_000);
}

#[test]
fn a_publication_larger_than_the_bound_is_delivered_and_not_kept() {
    let store = store(&MemoryLimits { history_bytes: 10, ..LIMITS });
    store.subscribe(&channel("c"), worker(0));
    assert_eq!(publish(&store, 0, "c", retention(10, HOUR)).offset, 1);
    assert_eq!(taken_by_worker(&store), 1);
    let page = read(&store, 0, "c");
    assert_eq!((page.top, page.publications.len()), (1, 0));
    assert_eq!((store.stats().bytes, store.stats().trimmed.bytes), (0, 1));
}

#[test]
fn idempotency_keys_are_bounded_and_the_oldest_go_first() {
    let store = store(&LIMITS);
    let publish = |n: usize| {
        let publication = NewPublication { identity: Some(key("api", &n.to_string(), 1)), ..kept(n, retention(100, HOUR)) };
        store.publish(at(0), &channel("c"), publication).expect("published").replayed
    };
    assert!((0..12).all(|n| !publish(n)));
    assert_eq!((store.stats().idempotency_keys, store.stats().idempotency_evicted), (10, 2));
    assert!(publish(2), "remembered");
    assert!(!publish(0), "forgotten");
    sweep(&store, 3600);
    assert_eq!(store.stats().idempotency_keys, 0);
}

// NL-2.18
#[test]
fn producers_are_bounded_and_those_of_the_channel_unused_longest_go_first() {
    let store = store(&LIMITS);
    let produce = |name: &str, id: usize, seq| {
        let identity = Some(producer(&id.to_string(), 0, seq));
        let published = store.publish(at(0), &channel(name), NewPublication { identity, ..kept(seq, retention(100, HOUR)) });
        published.map(|published| published.replayed)
    };
    for (name, id) in ["a", "b", "c"].into_iter().flat_map(|name| (0..4).map(move |id| (name, id))) {
        assert_eq!(produce(name, id, 0), Ok(false));
    }
    assert_eq!((store.stats().producers, store.stats().producers_evicted), (8, 4));
    assert_eq!(produce("a", 0, 1), Err(BrokerError::SequenceGap { expected: 0 }), "forgotten");
    assert_eq!((produce("b", 0, 0), produce("b", 0, 1)), (Ok(true), Ok(false)), "remembered");
    sweep(&store, 3600);
    assert_eq!(store.stats().producers, 0);
}

#[test]
fn a_producer_that_expires_later_does_not_keep_those_used_after_it() {
    let store = store(&LIMITS);
    let produce = |name: &str, ttl| {
        let publication = NewPublication { identity: Some(producer("p", 0, 0)), ..kept(0, retention(1, ttl)) };
        store.publish(at(0), &channel(name), publication).expect("the first");
    };
    produce("long", 2 * HOUR);
    produce("short", HOUR);
    sweep(&store, 3600);
    assert_eq!(store.stats().producers, 1);
    sweep(&store, 7200);
    assert_eq!(store.stats().producers, 0);
}

// NL-2.17
#[test]
fn a_producer_that_is_ahead_of_its_channel_is_not_known() {
    let store = store(&LIMITS);
    let second = Duration::from_secs(1);
    let produce = |seconds, seq| {
        let publication = NewPublication { identity: Some(producer("p", 0, seq)), ..kept(seq, retention(100, second)) };
        store.publish(at(seconds), &channel("short"), publication).map(|published| published.replayed)
    };
    assert_eq!(produce(0, 0), Ok(false));
    sweep(&store, 1);
    assert_eq!(produce(1, 0), Ok(true), "while the position of the channel is remembered");
    for other in 0..10 {
        publish(&store, 1, &format!("other{other}"), retention(1, second));
    }
    sweep(&store, 2);
    assert_eq!((store.stats().idle_evicted, store.stats().producers), (1, 1), "the position of the channel is forgotten");
    assert_eq!(produce(2, 1), Err(BrokerError::SequenceGap { expected: 0 }));
}

#[test]
fn stored_subscriptions_are_bounded_and_end() {
    let store = store(&LIMITS);
    let put = |seconds, user: &str, name: &str, expires_at| {
        let subscription = UserSubscription { channel: channel(name), expires_at };
        store.put_user_subscription(at(seconds), &user.parse().expect("valid"), subscription)
    };
    assert_eq!(put(0, "alice", "a", Some(10)), Ok(()));
    assert_eq!(put(0, "alice", "b", None), Ok(()));
    assert!(matches!(put(0, "alice", "c", None), Err(BrokerError::LimitExceeded(_))), "of one user");
    assert_eq!(put(0, "bob", "a", None), Ok(()));
    assert!(matches!(put(0, "carol", "a", None), Err(BrokerError::LimitExceeded(_))), "of all");
    assert_eq!(put(0, "alice", "a", Some(20)), Ok(()), "replacing takes no room");
    sweep(&store, 19);
    assert_eq!(store.stats().user_subscriptions, 3);
    assert_eq!(put(20, "carol", "a", None), Ok(()), "an expired subscription makes room");
    assert_eq!(store.user_subscriptions(at(20), &"alice".parse().expect("valid")).len(), 1);
}

#[test]
fn threads_that_publish_at_once_agree_on_one_order_in_every_mailbox() {
    const EACH: u64 = 20_000;
    let mailboxes: Vec<_> = (0..2).map(|_| Arc::new(Mailbox::new(1 << 20, 1 << 30))).collect();
    let store = Store::new(mailboxes.clone(), &MemoryLimits::default());
    (0..2).for_each(|index| store.subscribe(&channel("c"), worker(index)));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..EACH).for_each(|_| _ = publish(&store, 0, "c", retention(10, HOUR))));
        }
    });
    for mailbox in &mailboxes {
        let offsets = taken(mailbox).into_iter().map(|entry| match entry {
            MailboxEntry::Delivery(_, Delivery::Publication(publication)) => offset(&publication),
            other => panic!("unexpected {other:?}"),
        });
        assert!(offsets.eq(1..=4 * EACH));
    }
}

#[test]
fn a_table_gives_memory_back_and_keeps_what_is_there() {
    let mut shard = shard::Shard::default();
    let idle = idle::IdleChannels::new(0, HOUR);
    let name = |n: usize| channel(&format!("c:{n}"));
    (0..50_000).for_each(|n| shard.subscribe(&name(n), worker(0)));
    let before = shard.capacity();
    (100..50_000).for_each(|n| shard.unsubscribe(&name(n), worker(0), Tick(0), &idle));
    shard.sweep(Tick(0), 1, &idle);
    assert!(shard.capacity() * 8 < before);
    assert!((0..100).all(|n| shard.subscribers(&name(n)).is_some_and(|(_, workers)| workers.contains(worker(0)))));
}

#[tokio::test(start_paused = true)]
async fn expired_histories_are_removed_in_the_background() {
    let stop = tokio_util::sync::CancellationToken::new();
    let broker = MemoryBroker::new(Vec::new(), LIMITS);
    broker.publish(&channel("c"), kept(1, retention(1, minutes(1)))).await.expect("published");
    let watch = async {
        tokio::time::advance(minutes(1)).await;
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        for _ in 0..3 {
            ticks.tick().await;
        }
        stop.cancel();
    };
    tokio::join!(broker.run(stop.clone()), watch);
    assert_eq!((broker.stats().channels, broker.stats().idle_channels), (0, 1));
}

#[derive(Clone, Debug)]
enum Step {
    Publish { channel: u8, size: u32, ttl: u64 },
    Read(u8),
    Join(u8),
    Leave(u8),
    Clear(u8),
    Wait(u64),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..8u8, 1..6u32, 1..40u64).prop_map(|(channel, size, ttl)| Step::Publish { channel, size, ttl }),
        3 => (0..8u8).prop_map(Step::Read),
        2 => (0..8u8).prop_map(Step::Join),
        2 => (0..8u8).prop_map(Step::Leave),
        1 => (0..8u8).prop_map(Step::Clear),
        3 => (0..30u64).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
    ]
}

/// The expected state of a channel.
#[derive(Clone, Default)]
struct Model {
    top: u64,
    held: u64,
    expires: u64,
}

impl Model {
    fn held_at(&self, now: u64) -> u64 {
        if now < self.expires { self.held } else { 0 }
    }
}

proptest! {
    #[test]
    fn channels_are_independent_and_keep_their_positions(steps in prop::collection::vec(step(), 1..120)) {
        let store = store(&LIMITS);
        let mut models = vec![Model::default(); 8];
        let mut now = 0;
        let name = |channel: u8| format!("c:{channel}");
        for step in steps.into_iter().chain((0..8).map(Step::Read)) {
            match step {
                Step::Publish { channel, size, ttl } => {
                    let model = &mut models[usize::from(channel)];
                    model.held = (model.held_at(now) + 1).min(u64::from(size));
                    (model.top, model.expires) = (model.top + 1, now + ttl);
                    let position = publish(&store, now, &name(channel), retention(size, Duration::from_secs(ttl)));
                    prop_assert_eq!(position.offset, model.top);
                }
                Step::Read(channel) => {
                    let model = &models[usize::from(channel)];
                    let page = read(&store, now, &name(channel));
                    prop_assert_eq!((page.top, page.publications.len() as u64), (model.top, model.held_at(now)));
                }
                Step::Join(n) => store.subscribe(&channel(&name(n)), worker(0)),
                Step::Leave(n) => store.unsubscribe(at(now), &channel(&name(n)), worker(0)),
                Step::Clear(n) => {
                    store.clear(at(now), &channel(&name(n)));
                    models[usize::from(n)].held = 0;
                }
                Step::Wait(seconds) => now += seconds,
                Step::Sweep => sweep(&store, now),
            }
        }
        (0..8).for_each(|n| store.unsubscribe(at(now), &channel(&name(n)), worker(0)));
        sweep(&store, now + 1000);
        let stats = store.stats();
        prop_assert_eq!((stats.channels, stats.publications, stats.bytes), (0, 0, 0));
    }
}
