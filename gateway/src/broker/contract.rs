//! What every broker has to do. One list of tests, run against each: see [`contract`].

use super::{
    Announcement, Broker, BrokerError, ChannelSummary, Delivery, Mailbox, NewPublication, Post, Published, UserSubscription,
    fixtures::{ALL, HOUR, Inbox, channel, client, data, ephemeral, kept, key, offset, retention, worker},
};
use gateway_core::model::{
    ChannelName, ConnectionId, Page, PageLimit, PresenceStats, Publication, ReadRange, Retention, Revocation, Tags, UserId,
};
use std::{collections::HashSet, pin::Pin, sync::Arc, time::Duration};

/// A broker under test.
pub(super) struct Bed {
    pub(super) broker: Arc<Broker>,
    /// At least two, of 1,024 entries each.
    pub(super) mailboxes: Vec<Arc<Mailbox>>,
    /// How long the broker remembers idempotency keys.
    pub(super) idempotency_ttl: Duration,
    /// Lets time pass.
    pub(super) pass: fn(Duration) -> Pin<Box<dyn Future<Output = ()>>>,
    /// Whatever has to live as long.
    pub(super) _keep: Box<dyn std::any::Any + Send + Sync>,
}

/// Makes every test of the contract a test of the calling module: `contract!([attribute] [attribute with threads] bed)`.
macro_rules! contract {
    ($single:tt $threaded:tt $bed:expr) => {
        $crate::broker::contract::contract! { @each $single $bed,
            a_publication_arrives_and_is_kept_as_it_was_sent
            offsets_grow_by_one_and_are_the_order_in_every_mailbox
            what_is_handed_over_keeps_its_order
            without_retention_there_is_delivery_and_nothing_else
            the_oldest_go_when_a_history_is_full_and_a_reader_can_tell
            a_history_ends_after_its_last_publication_and_the_position_stays
            spans_choose_what_is_read
            pages_are_bounded_by_entries_and_bytes
            the_first_read_makes_the_epoch_that_publishes_go_on_in
            clearing_keeps_epoch_and_offsets
            a_repeated_publish_is_answered_and_not_delivered
            an_idempotency_key_belongs_to_scope_channel_and_body
            an_idempotency_key_is_forgotten_in_time
            subscribed_means_that_everything_from_now_on_arrives
            what_a_mailbox_left_out_can_be_read
            announcements_reach_subscribers_and_are_not_kept
            presence_knows_connections_and_users
            active_channels_are_listed_by_name_and_page
            subscriptions_of_users_are_kept_until_they_end
            revocations_are_remembered_for_their_time
            who_was_connected_to_a_dead_node_is_found_until_struck_out
            names_of_users_are_kept_apart_whatever_they_hold
        }
        $crate::broker::contract::contract! { @each $threaded $bed,
            concurrent_publishers_make_one_order
            a_read_is_of_one_moment
            a_key_published_many_times_at_once_is_published_once
        }
    };
    (@each $test:tt $bed:expr, $($name:ident)*) => { $($crate::broker::contract::contract! { @one $test $bed, $name })* };
    (@one [$test:meta] $bed:expr, $name:ident) => {
        #[$test]
        async fn $name() {
            $crate::broker::contract::$name(&$bed).await;
        }
    };
}
pub(super) use contract;

impl Bed {
    async fn publish(&self, channel: &ChannelName, publication: NewPublication) -> Published {
        self.broker.publish(channel, publication).await.expect("published")
    }

    /// Publishes numbers; returns the offset of the last.
    async fn publish_all(&self, channel: &ChannelName, numbers: impl IntoIterator<Item = u64>, retention: Retention) -> u64 {
        let mut last = 0;
        for number in numbers {
            let published = self.publish(channel, kept(number, retention)).await;
            last = published.position.expect("kept").offset;
        }
        last
    }

    async fn read(&self, channel: &ChannelName, range: ReadRange, limit: PageLimit) -> Page {
        self.broker.read(channel, KEEP, range, limit).await.expect("read")
    }

    async fn offsets(&self, channel: &ChannelName, range: ReadRange) -> Vec<u64> {
        offsets(&self.read(channel, range, ALL).await)
    }

    /// Subscribes a worker and gives its consumer.
    async fn join(&self, channel: &ChannelName, index: usize) -> Inbox {
        self.broker.subscribe(channel, worker(index), Some(KEEP)).await.expect("subscribed");
        Inbox::new(&self.mailboxes[index])
    }

    async fn list(&self, pattern: &str, after: Option<&str>, limit: usize) -> Vec<ChannelSummary> {
        self.broker.channels(pattern, after, limit).await.expect("listed")
    }
}

/// What tests keep where it does not matter.
const KEEP: Retention = Retention { size: 1000, ttl: HOUR };

fn offsets(page: &Page) -> Vec<u64> {
    page.publications.iter().map(|publication| offset(publication)).collect()
}

fn names(channels: &[ChannelSummary]) -> Vec<&str> {
    channels.iter().map(|channel| channel.name.as_str()).collect()
}

pub(super) async fn a_publication_arrives_and_is_kept_as_it_was_sent(bed: &Bed) {
    let channel = channel("c:whole");
    let mut inbox = bed.join(&channel, 0).await;
    let sent = NewPublication {
        data: data(serde_json::json!({"text": "ä\n\"", "n": [1, null]})),
        tags: Tags::from([("a".into(), "b".into())]),
        info: Some(Box::new((*client("alice")).clone())),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        retention: Some(KEEP),
        idempotency: None,
    };
    let published = bed.publish(&channel, sent.clone()).await;
    let (name, arrived) = inbox.publication().await;
    assert_eq!(name, channel);
    assert!(arrived.time_ms > 1_700_000_000_000, "in milliseconds since 1970");
    let expected = Publication {
        position: published.position,
        data: sent.data,
        tags: sent.tags,
        info: sent.info,
        time_ms: arrived.time_ms,
        traceparent: sent.traceparent,
    };
    assert_eq!(*arrived, expected);
    let page = bed.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!(*page.publications[0], expected);
    assert_eq!(Some((page.epoch, page.top)), published.position.map(|position| (position.epoch, position.offset)));
}

pub(super) async fn offsets_grow_by_one_and_are_the_order_in_every_mailbox(bed: &Bed) {
    let (one, two) = (channel("c:one"), channel("c:two"));
    let mut inboxes = [bed.join(&one, 0).await, bed.join(&one, 1).await];
    for number in 1..=50 {
        assert_eq!(bed.publish_all(&one, [number], KEEP).await, number);
        assert_eq!(bed.publish_all(&two, [number], KEEP).await, number, "each channel counts for itself");
    }
    for inbox in &mut inboxes {
        for expected in 1..=50 {
            let (name, publication) = inbox.publication().await;
            assert_eq!((name.as_str(), offset(&publication), publication.data.get()), ("c:one", expected, &*expected.to_string()));
        }
    }
}

// NL-0.3
pub(super) async fn what_is_handed_over_keeps_its_order(bed: &Bed) {
    let channel = channel("c:handed-over");
    let mut inbox = bed.join(&channel, 0).await;
    let mut answers = Vec::new();
    for number in 1..=200 {
        answers.push(bed.broker.hand_over(&channel, kept(number, KEEP)).await.expect("there is room"));
    }
    // Each has its answer, whenever that is asked for.
    for (before, answer) in answers.into_iter().enumerate().rev() {
        let published = answer.await.expect("published");
        assert_eq!(published.position.map(|position| position.offset), Some(before as u64 + 1));
    }
    for number in 1..=200 {
        let (_, arrived) = inbox.publication().await;
        assert_eq!((offset(&arrived), &arrived.data), (number, &data(number)));
    }
}

// NL-0.4
pub(super) async fn without_retention_there_is_delivery_and_nothing_else(bed: &Bed) {
    let channel = channel("c:ephemeral");
    let mut inbox = bed.join(&channel, 0).await;
    bed.publish_all(&channel, [1], KEEP).await;
    assert_eq!(bed.publish(&channel, ephemeral("typing")).await, Published { position: None, replayed: false });
    assert_eq!(bed.publish_all(&channel, [2], KEEP).await, 2, "it takes no offset");
    let mut arrived = Vec::new();
    for _ in 0..3 {
        let (_, publication) = inbox.publication().await;
        arrived.push((publication.position.is_some(), publication.data.get().to_owned()));
    }
    assert_eq!(arrived, [(true, "1".into()), (false, "\"typing\"".into()), (true, "2".into())]);
    assert_eq!(bed.offsets(&channel, ReadRange::After(0)).await, [1, 2]);
}

pub(super) async fn the_oldest_go_when_a_history_is_full_and_a_reader_can_tell(bed: &Bed) {
    let channel = channel("c:full");
    bed.publish_all(&channel, 1..=10, retention(3, HOUR)).await;
    let page = bed.read(&channel, ReadRange::After(2), ALL).await;
    assert_eq!(offsets(&page), [8, 9, 10], "it begins later than asked");
    assert_eq!(page.top, 10);
    bed.publish_all(&channel, [11], retention(1, HOUR)).await;
    assert_eq!(bed.offsets(&channel, ReadRange::After(0)).await, [11], "a smaller size holds from the next publish on");
}

// NL-1.9
pub(super) async fn a_history_ends_after_its_last_publication_and_the_position_stays(bed: &Bed) {
    let channel = channel("c:ends");
    let ttl = Duration::from_secs(3);
    let keep = retention(100, ttl);
    bed.publish_all(&channel, [1], keep).await;
    (bed.pass)(Duration::from_secs(2)).await;
    bed.publish_all(&channel, [2], keep).await;
    (bed.pass)(Duration::from_secs(2)).await;
    let before = bed.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!(offsets(&before), [1, 2], "each publish restarts the time of all");
    (bed.pass)(Duration::from_secs(2)).await;
    let after = bed.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!((after.epoch, after.top, offsets(&after)), (before.epoch, 2, vec![]));
    let next = bed.publish(&channel, kept(3, keep)).await.position.expect("kept");
    assert_eq!((next.epoch, next.offset), (before.epoch, 3));
    assert_eq!(bed.offsets(&channel, ReadRange::After(0)).await, [3], "what had ended does not come back");
}

pub(super) async fn spans_choose_what_is_read(bed: &Bed) {
    let channel = channel("c:spans");
    bed.publish_all(&channel, 1..=8, retention(5, HOUR)).await;
    for (range, expected) in [
        (ReadRange::Top, vec![]),
        (ReadRange::After(0), vec![4, 5, 6, 7, 8]),
        (ReadRange::After(3), vec![4, 5, 6, 7, 8]),
        (ReadRange::After(6), vec![7, 8]),
        (ReadRange::After(8), vec![]),
        (ReadRange::After(u64::MAX), vec![]),
        (ReadRange::Before(None), vec![8, 7, 6, 5, 4]),
        (ReadRange::Before(Some(u64::MAX)), vec![8, 7, 6, 5, 4]),
        (ReadRange::Before(Some(8)), vec![7, 6, 5, 4]),
        (ReadRange::Before(Some(5)), vec![4]),
        (ReadRange::Before(Some(4)), vec![]),
        (ReadRange::Before(Some(1)), vec![]),
        (ReadRange::Before(Some(0)), vec![]),
    ] {
        let page = bed.read(&channel, range, ALL).await;
        assert_eq!((offsets(&page), page.top), (expected, 8), "{range:?}");
    }
}

// NL-4.8
pub(super) async fn pages_are_bounded_by_entries_and_bytes(bed: &Bed) {
    let channel = channel("c:pages");
    bed.publish_all(&channel, 1..=9, KEEP).await;
    let size = bed.read(&channel, ReadRange::After(0), ALL).await.publications[0].size();
    for (entries, bytes, expected) in [
        (3, usize::MAX, vec![1, 2, 3]),
        (0, usize::MAX, vec![]),
        (usize::MAX, 2 * size, vec![1, 2]),
        (usize::MAX, 2 * size + size / 2, vec![1, 2]),
        (usize::MAX, 0, vec![1]),
        (2, 3 * size, vec![1, 2]),
    ] {
        assert_eq!(offsets(&bed.read(&channel, ReadRange::After(0), PageLimit { entries, bytes }).await), expected, "{entries} {bytes}");
    }
    let newest = PageLimit { entries: 2, bytes: usize::MAX };
    assert_eq!(offsets(&bed.read(&channel, ReadRange::Before(None), newest).await), [9, 8]);
}

// NL-1.9
pub(super) async fn the_first_read_makes_the_epoch_that_publishes_go_on_in(bed: &Bed) {
    for (name, subscribed) in [("c:unseen", false), ("c:joined", true)] {
        let channel = channel(name);
        if subscribed {
            bed.join(&channel, 0).await;
        }
        let page = bed.read(&channel, ReadRange::Top, ALL).await;
        assert_eq!((page.top, page.forks.len(), page.publications.len()), (0, 0, 0));
        assert_eq!(bed.read(&channel, ReadRange::Top, ALL).await.epoch, page.epoch);
        let first = bed.publish(&channel, kept(1, KEEP)).await.position.expect("kept");
        assert_eq!((first.epoch, first.offset), (page.epoch, 1));
    }
    let (one, two) = (channel("c:unseen"), channel("c:joined"));
    assert_ne!(bed.read(&one, ReadRange::Top, ALL).await.epoch, bed.read(&two, ReadRange::Top, ALL).await.epoch);
}

// NL-1.9
pub(super) async fn clearing_keeps_epoch_and_offsets(bed: &Bed) {
    let channel = channel("c:clear");
    bed.broker.clear(&channel).await.expect("nothing to clear is no error");
    bed.publish_all(&channel, 1..=3, KEEP).await;
    let before = bed.read(&channel, ReadRange::Top, ALL).await;
    bed.broker.clear(&channel).await.expect("cleared");
    let after = bed.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!((after.epoch, after.top, offsets(&after)), (before.epoch, 3, vec![]));
    assert_eq!(bed.publish_all(&channel, [4], KEEP).await, 4);
    assert_eq!(bed.offsets(&channel, ReadRange::After(0)).await, [4]);
}

// NL-2.10
pub(super) async fn a_repeated_publish_is_answered_and_not_delivered(bed: &Bed) {
    for (name, keep) in [("c:again", Some(KEEP)), ("c:again-ephemeral", None)] {
        let channel = channel(name);
        let mut inbox = bed.join(&channel, 0).await;
        let publication = NewPublication { retention: keep, idempotency: Some(key("api", "k", 1)), ..ephemeral("once") };
        let first = bed.publish(&channel, publication.clone()).await;
        assert!(!first.replayed);
        bed.publish(&channel, NewPublication { retention: keep, ..ephemeral("between") }).await;
        let again = bed.publish(&channel, publication).await;
        assert_eq!(again, Published { position: first.position, replayed: true });
        bed.publish(&channel, NewPublication { retention: keep, ..ephemeral("end") }).await;
        for expected in ["\"once\"", "\"between\"", "\"end\""] {
            assert_eq!(inbox.publication().await.1.data.get(), expected);
        }
    }
    assert_eq!(bed.offsets(&channel("c:again"), ReadRange::After(0)).await, [1, 2, 3]);
}

// NL-2.9
pub(super) async fn an_idempotency_key_belongs_to_scope_channel_and_body(bed: &Bed) {
    let (one, two) = (channel("c:key-one"), channel("c:key-two"));
    let with = |key| NewPublication { idempotency: Some(key), ..kept("x", KEEP) };
    bed.publish(&one, with(key("api", "k", 1))).await;
    assert_eq!(bed.broker.publish(&one, with(key("api", "k", 2))).await, Err(BrokerError::IdempotencyMismatch));
    assert!(!bed.publish(&one, with(key("other", "k", 2))).await.replayed);
    assert!(!bed.publish(&two, with(key("api", "k", 2))).await.replayed);
    assert!(!bed.publish(&one, with(key("api", "K", 1))).await.replayed);
    assert_eq!(bed.offsets(&one, ReadRange::After(0)).await, [1, 2, 3], "what was refused changed nothing");
    bed.broker.clear(&one).await.expect("cleared");
    assert!(bed.publish(&one, with(key("api", "k", 1))).await.replayed, "a key outlives its publication");
}

pub(super) async fn an_idempotency_key_is_forgotten_in_time(bed: &Bed) {
    let channel = channel("c:key-ends");
    let publication = NewPublication { idempotency: Some(key("api", "k", 1)), ..kept("x", retention(10, 3 * bed.idempotency_ttl)) };
    bed.publish(&channel, publication.clone()).await;
    (bed.pass)(bed.idempotency_ttl.mul_f32(0.8)).await;
    assert!(bed.publish(&channel, publication.clone()).await.replayed);
    (bed.pass)(bed.idempotency_ttl.mul_f32(0.4)).await;
    assert!(!bed.publish(&channel, publication).await.replayed, "a repeat does not prolong it");
    assert_eq!(bed.offsets(&channel, ReadRange::After(0)).await, [1, 2]);
}

// NL-5.1
pub(super) async fn subscribed_means_that_everything_from_now_on_arrives(bed: &Bed) {
    let channel = channel("c:join");
    bed.publish_all(&channel, [1], KEEP).await;
    let mut inbox = bed.join(&channel, 0).await;
    bed.join(&channel, 0).await;
    bed.publish_all(&channel, [2, 3], KEEP).await;
    for expected in [2, 3] {
        assert_eq!(offset(&inbox.publication().await.1), expected, "once, although subscribed twice");
    }
    bed.broker.unsubscribe(&channel, worker(0));
    bed.broker.unsubscribe(&channel, worker(0));
    bed.broker.unsubscribe(&channel, worker(1));
    bed.broker.subscribe(&channel, worker(0), Some(KEEP)).await.expect("subscribed");
    bed.publish_all(&channel, [4], KEEP).await;
    assert_eq!(offset(&inbox.publication().await.1), 4, "subscribing again right away works");
}

pub(super) async fn what_a_mailbox_left_out_can_be_read(bed: &Bed) {
    let channel = channel("c:dirty");
    let mut slow = bed.join(&channel, 0).await;
    let mut fast = bed.join(&channel, 1).await;
    for number in 1..=400 {
        bed.publish_all(&channel, [number], KEEP).await;
        assert_eq!(offset(&fast.publication().await.1), number, "others are not concerned");
    }
    let mut next = 1;
    loop {
        match slow.next().await {
            Post::Delivery(_, Delivery::Publication(publication)) => assert_eq!(offset(&publication), next),
            Post::Dirty(name) => break assert_eq!(name, channel),
            other => panic!("unexpected {other:?}"),
        }
        next += 1;
    }
    assert_eq!(next, 257, "a quarter of the mailbox");
    assert_eq!(bed.offsets(&channel, ReadRange::After(256)).await, (257..=400).collect::<Vec<_>>());
    bed.publish_all(&channel, [401], KEEP).await;
    assert_eq!(offset(&slow.publication().await.1), 401);
}

pub(super) async fn announcements_reach_subscribers_and_are_not_kept(bed: &Bed) {
    let channel = channel("c:announce");
    let mut inbox = bed.join(&channel, 0).await;
    let info = client("alice");
    for announcement in [Announcement::Join(Arc::clone(&info)), Announcement::Leave(info)] {
        bed.broker.announce(&channel, announcement.clone()).await.expect("announced");
        match inbox.next().await {
            Post::Delivery(name, Delivery::Announcement(arrived)) => assert_eq!((name, arrived), (channel.clone(), announcement)),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(bed.read(&channel, ReadRange::After(0), ALL).await.top, 0);
}

pub(super) async fn presence_knows_connections_and_users(bed: &Bed) {
    let channel = channel("c:presence");
    let add = async |info: &Arc<_>| bed.broker.presence_add(&channel, Arc::clone(info)).await.expect("added");
    let remove = async |id| bed.broker.presence_remove(&channel, id).await.expect("removed");
    let stats = async || bed.broker.presence_stats(&channel).await.expect("counted");
    let ids = async |limit| {
        let present = bed.broker.presence(&channel, limit).await.expect("listed");
        present.iter().map(|info| info.client).collect::<HashSet<ConnectionId>>()
    };
    assert_eq!(stats().await, PresenceStats::default());
    let (phone, laptop, bob) = (client("alice"), client("alice"), client("bob"));
    for info in [&phone, &laptop, &bob, &phone] {
        add(info).await;
    }
    assert_eq!(stats().await, PresenceStats { clients: 3, users: 2 });
    assert_eq!(ids(10).await, HashSet::from([phone.client, laptop.client, bob.client]));
    assert_eq!(ids(2).await.len(), 2);
    remove(phone.client).await;
    remove(phone.client).await;
    assert_eq!(stats().await, PresenceStats { clients: 2, users: 2 });
    remove(laptop.client).await;
    assert_eq!(stats().await, PresenceStats { clients: 1, users: 1 });
    assert_eq!(ids(10).await, HashSet::from([bob.client]));
    remove(bob.client).await;
    assert_eq!((stats().await, ids(10).await.len()), (PresenceStats::default(), 0));
}

pub(super) async fn active_channels_are_listed_by_name_and_page(bed: &Bed) {
    for number in 0..30 {
        bed.publish_all(&channel(&format!("list:{number:02}")), 0..=number, KEEP).await;
    }
    bed.join(&channel("list:joined"), 0).await;
    bed.publish(&channel("list:ephemeral"), ephemeral(1)).await;
    bed.read(&channel("list:read"), ReadRange::Top, ALL).await;
    let all = bed.list("list:*", None, 100).await;
    let mut expected: Vec<String> = (0..30).map(|number| format!("list:{number:02}")).collect();
    expected.push("list:joined".into());
    assert_eq!(names(&all), expected, "subscribers or publications make a channel active");
    let fifth = &all[5];
    assert_eq!((fifth.held, fifth.position.map(|position| position.offset)), (6, Some(6)));
    assert_eq!((all[30].held, all[30].position), (0, None));
    let mut paged = Vec::new();
    loop {
        let page = bed.list("list:??", paged.last().map(|channel: &ChannelSummary| channel.name.as_str()), 7).await;
        paged.extend_from_slice(&page);
        if page.len() < 7 {
            break;
        }
    }
    assert_eq!(names(&paged), expected[..30]);
    assert_eq!(names(&bed.list("list:0*9", None, 100).await), ["list:09"]);
    assert_eq!(names(&bed.list("list:07", None, 100).await), ["list:07"]);
    assert!(bed.list("list:*", None, 0).await.is_empty());
    bed.broker.clear(&channel("list:07")).await.expect("cleared");
    bed.broker.unsubscribe(&channel("list:joined"), worker(0));
    (bed.pass)(Duration::from_secs(5)).await;
    assert!(bed.list("list:07", None, 100).await.is_empty());
    assert!(bed.list("list:j*", None, 100).await.is_empty());
}

pub(super) async fn subscriptions_of_users_are_kept_until_they_end(bed: &Bed) {
    let (alice, bob): (UserId, UserId) = ("alice".parse().expect("valid"), "bob".parse().expect("valid"));
    let put = async |user: &UserId, name: &str, expires_at| {
        let subscription = UserSubscription { channel: channel(name), expires_at };
        bed.broker.put_user_subscription(user, subscription).await
    };
    let list = async |user: &UserId| {
        let mut all = bed.broker.user_subscriptions(user).await.expect("listed");
        all.sort_by(|a, b| a.channel.cmp(&b.channel));
        all.into_iter().map(|one| (one.channel.to_string(), one.expires_at)).collect::<Vec<_>>()
    };
    let far = Some(u64::from(u32::MAX));
    for (name, end) in [("a", None), ("b", far), ("past", Some(1)), ("b", None), ("a", far)] {
        put(&alice, name, end).await.expect("stored");
    }
    assert_eq!(list(&alice).await, [("a".into(), far), ("b".into(), None)], "the same channel is replaced");
    assert!(list(&bob).await.is_empty());
    let delete = async |name| bed.broker.delete_user_subscription(&alice, &channel(name)).await;
    assert_eq!((delete("a").await, delete("a").await, delete("past").await), (Ok(true), Ok(false), Ok(false)));
    put(&alice, "b", Some(1)).await.expect("stored");
    assert!(list(&alice).await.is_empty(), "replaced by one that has ended");
    for number in 0..128 {
        put(&bob, &format!("many:{number}"), None).await.expect("stored");
    }
    assert!(matches!(put(&bob, "one-more", None).await, Err(BrokerError::LimitExceeded(_))));
    put(&bob, "many:7", far).await.expect("replacing takes no room");
    assert_eq!(list(&bob).await.len(), 128);
}

const PUBLISHERS: u64 = 4;

/// Publishes from several tasks at once; returns when all are done.
/// Names that a part of a store might take for something else.
const ODD: [&str; 12] = [
    "auth0|abc",
    "f:realm:jürgen",
    "spiffe://example.org/ns/a",
    "{a}",
    "}:stream",
    "a b",
    "a*",
    "a%2A",
    "a%20b",
    "[a-b]?\\",
    "#a",
    "山田 太郎 \"'<&",
];

pub(super) async fn names_of_users_are_kept_apart_whatever_they_hold(bed: &Bed) {
    let all = ODD.map(|name| client(name).user.clone()).map(|user| (ChannelName::personal(&user).expect("not anonymous"), user));
    let mut inbox = Inbox::new(&bed.mailboxes[0]);
    for ((channel, user), number) in all.iter().zip(1..) {
        bed.join(channel, 0).await;
        bed.publish_all(channel, 0..number, KEEP).await;
        for _ in 0..number {
            assert_eq!(inbox.publication().await.0, *channel);
        }
        bed.broker.presence_add(channel, client(user)).await.expect("added");
        bed.broker.presence_add(channel, client("alice")).await.expect("added");
        let subscription = UserSubscription { channel: channel.clone(), expires_at: None };
        bed.broker.put_user_subscription(user, subscription).await.expect("stored");
        let revocation = Revocation { until: number, code: 4500, reason: user.as_str().into() };
        bed.broker.revoke(user, revocation, HOUR).await.expect("revoked");
    }
    for ((channel, user), number) in all.iter().zip(1..) {
        assert_eq!(bed.offsets(channel, ReadRange::After(0)).await, (1..=number).collect::<Vec<_>>());
        let stats = bed.broker.presence_stats(channel).await.expect("counted");
        assert_eq!(stats, PresenceStats { clients: 2, users: 2 }, "{channel}");
        let present = bed.broker.presence(channel, 10).await.expect("read");
        assert_eq!(present.iter().filter(|info| info.user == *user).count(), 1, "{channel}");
        let stored = bed.broker.user_subscriptions(user).await.expect("read");
        assert_eq!(stored, [UserSubscription { channel: channel.clone(), expires_at: None }]);
        let revoked = bed.broker.revoked(user).await.expect("read").expect("remembered");
        assert_eq!((revoked.until, &*revoked.reason), (number, user.as_str()));
        let listed = bed.list(channel, None, 10).await;
        assert!(names(&listed).contains(&channel.as_str()), "{channel}");
    }
    let mut expected: Vec<_> = all.iter().map(|(channel, _)| channel.as_str()).collect();
    expected.sort_unstable();
    assert_eq!(names(&bed.list("#*", None, 100).await), expected);
    assert_eq!(names(&bed.list("#*", Some(expected[5]), 3).await), expected[6..9]);
    assert_eq!(names(&bed.list("#??? ??*", None, 3).await), [] as [&str; 0]);
    assert_eq!(names(&bed.list("#?? ?? *", None, 3).await), ["#山田 太郎 \"'<&"], "a question mark is one character");
}

async fn publish_at_once(bed: &Bed, channel: &ChannelName, each: u64, retention: Retention) {
    let publishers = (0..PUBLISHERS).map(|publisher| {
        let (broker, channel) = (Arc::clone(&bed.broker), channel.clone());
        tokio::spawn(async move {
            let mut last = 0;
            for number in 0..each {
                let published = broker.publish(&channel, kept([publisher, number], retention)).await.expect("published");
                let offset = published.position.expect("kept").offset;
                assert!(offset > last, "one publisher's own order is that of the offsets");
                last = offset;
                tokio::task::yield_now().await;
            }
        })
    });
    for publisher in publishers.collect::<Vec<_>>() {
        publisher.await.expect("no publisher fails");
    }
}

pub(super) async fn concurrent_publishers_make_one_order(bed: &Bed) {
    const EACH: u64 = 500;
    let channel = channel("c:threads");
    let keep = retention(u32::MAX, HOUR);
    let consumers: Vec<_> = [bed.join(&channel, 0).await, bed.join(&channel, 1).await]
        .into_iter()
        .map(|mut inbox| {
            let (broker, channel) = (Arc::clone(&bed.broker), channel.clone());
            tokio::spawn(async move {
                let (mut last, mut dirty) = (0, false);
                while last < PUBLISHERS * EACH {
                    match inbox.next().await {
                        Post::Delivery(_, Delivery::Publication(publication)) => {
                            let offset = offset(&publication);
                            assert!(offset == last + 1 || (dirty && offset > last), "{offset} came after {last}");
                            (last, dirty) = (offset, false);
                        }
                        Post::Dirty(_) => {
                            dirty = true;
                            let top = broker.read(&channel, keep, ReadRange::Top, ALL).await.expect("read").top;
                            if top == PUBLISHERS * EACH {
                                break;
                            }
                        }
                        other => panic!("unexpected {other:?}"),
                    }
                }
            })
        })
        .collect();
    publish_at_once(bed, &channel, EACH, keep).await;
    for consumer in consumers {
        consumer.await.expect("the order holds");
    }
    let page = bed.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!(offsets(&page), (1..=PUBLISHERS * EACH).collect::<Vec<_>>());
    let distinct: HashSet<_> = page.publications.iter().map(|publication| publication.data.get()).collect();
    assert_eq!(distinct.len() as u64, PUBLISHERS * EACH);
}

pub(super) async fn a_read_is_of_one_moment(bed: &Bed) {
    let channel = channel("c:moment");
    let keep = retention(50, HOUR);
    let reader = {
        let (broker, channel) = (Arc::clone(&bed.broker), channel.clone());
        tokio::spawn(async move {
            let mut top = 0;
            while top < PUBLISHERS * 300 {
                let page = broker.read(&channel, keep, ReadRange::After(0), ALL).await.expect("read");
                assert!(page.top >= top);
                top = page.top;
                let first = top.saturating_sub(50) + 1;
                assert_eq!(offsets(&page), (first..=top).collect::<Vec<_>>());
                tokio::task::yield_now().await;
            }
        })
    };
    publish_at_once(bed, &channel, 300, keep).await;
    reader.await.expect("every page is whole");
}

pub(super) async fn a_key_published_many_times_at_once_is_published_once(bed: &Bed) {
    let channel = channel("c:key-at-once");
    let attempts: Vec<_> = (0..16)
        .map(|_| {
            let (broker, channel) = (Arc::clone(&bed.broker), channel.clone());
            let publication = NewPublication { idempotency: Some(key("api", "k", 1)), ..kept("x", KEEP) };
            tokio::spawn(async move { broker.publish(&channel, publication).await })
        })
        .collect();
    let mut first = 0;
    for attempt in attempts {
        match attempt.await.expect("no attempt panics") {
            Ok(published) => first += usize::from(!published.replayed),
            Err(error) => assert_eq!(error, BrokerError::IdempotencyInProgress),
        }
    }
    assert_eq!((first, bed.offsets(&channel, ReadRange::After(0)).await), (1, vec![1]));
}

pub(super) async fn revocations_are_remembered_for_their_time(bed: &Bed) {
    let (alice, bob): (UserId, UserId) = ("alice".parse().expect("valid"), "bob".parse().expect("valid"));
    let revoked = async |user| bed.broker.revoked(user).await.expect("read");
    assert_eq!(revoked(&alice).await, None);
    let [first, second] = [10, 20].map(|until| Revocation { until, code: 3503, reason: "a \"reason\" of several words".into() });
    let short = Revocation { until: 30, code: 4500, reason: "".into() };
    bed.broker.revoke(&alice, first, HOUR).await.expect("stored");
    bed.broker.revoke(&alice, second.clone(), HOUR).await.expect("stored");
    bed.broker.revoke(&bob, short.clone(), Duration::from_secs(2)).await.expect("stored");
    assert_eq!((revoked(&alice).await, revoked(&bob).await), (Some(second.clone()), Some(short)));
    let behind = Revocation { until: 15, code: 4501, reason: "late".into() };
    bed.broker.revoke(&alice, behind.clone(), HOUR).await.expect("stored");
    assert_eq!(revoked(&alice).await, Some(Revocation { until: second.until, ..behind }), "by a node whose clock is behind");
}

pub(super) async fn who_was_connected_to_a_dead_node_is_found_until_struck_out(bed: &Bed) {
    let Some(nodes) = bed.broker.nodes() else {
        return assert!(matches!(*bed.broker, Broker::Memory(_)), "only there nobody else could ask");
    };
    nodes.register("{}", Duration::from_millis(1)).await.expect("entered");
    let dead = nodes.list().await.expect("listed").remove(0).id;
    let users = ["alice", "", "bob"].into_iter().cycle().map(|name| name.parse::<UserId>().expect("valid"));
    let all: Vec<_> = users.take(600).map(|user| (ConnectionId::random(), user)).collect();
    nodes.register_connections(&[]).await.expect("nothing to do");
    for some in all.chunks(250) {
        nodes.register_connections(some).await.expect("entered");
    }
    nodes.register_connections(&all[..10]).await.expect("entered again");
    let ended: Vec<_> = all[..50].iter().map(|(id, _)| *id).collect();
    nodes.unregister_connections(&ended).await.expect("struck out");
    let (mut found, mut steps) = (Vec::new(), 0);
    loop {
        let some = nodes.registered_connections(&dead).await.expect("read");
        if some.is_empty() {
            break;
        }
        let ids: Vec<_> = some.iter().map(|(id, _)| *id).collect();
        nodes.unregister_connections_of(&dead, &ids).await.expect("struck out");
        nodes.unregister_connections_of(&dead, &ids).await.expect("struck out twice");
        found.extend(some);
        steps += 1;
    }
    assert!(steps > 1, "in steps");
    let expected: HashSet<_> = all[50..].iter().map(|(id, user)| (id.to_string(), user.to_string())).collect();
    assert_eq!(found.len(), expected.len(), "once");
    assert_eq!(found.iter().map(|(id, user)| (id.to_string(), user.to_string())).collect::<HashSet<_>>(), expected);
}
