//! Presence, the list of channels, and the state of users and nodes.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{BrokerFixture, KEEP, names};
use crate::{
    broker::{Broker, BrokerError, ChannelSummary, RegistryKey, Release, UserSubscription, Vacate},
    testing::fixtures::{ALL, HOUR, Inbox, channel, client, ephemeral, worker},
};
use gateway_core::model::{
    ChannelName, ClaimDigest, ConnectionId, PresenceStats, ReadRange, RevocableClaim, Revocation, RevocationTarget, UserId,
};
use std::{collections::HashSet, sync::Arc, time::Duration};

pub async fn presence_knows_connections_and_users(fixture: &BrokerFixture) {
    let channel = channel("c:presence");
    let add = async |info: &Arc<_>| fixture.broker.presence_add(&channel, Arc::clone(info)).await.expect("added");
    let remove = async |id| fixture.broker.presence_remove(&channel, id).await.expect("removed");
    let stats = async || fixture.broker.presence_stats(&channel).await.expect("counted");
    let ids = async |limit| {
        let present = fixture.broker.presence(&channel, limit).await.expect("listed");
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

pub async fn active_channels_are_listed_by_name_and_page(fixture: &BrokerFixture) {
    for number in 0..30 {
        fixture.publish_all(&channel(&format!("list:{number:02}")), 0..=number, KEEP).await;
    }
    fixture.join(&channel("list:joined"), 0).await;
    fixture.publish(&channel("list:ephemeral"), ephemeral(1)).await;
    fixture.read(&channel("list:read"), ReadRange::Top, ALL).await;
    let all = fixture.list("list:*", None, 100).await;
    let mut expected: Vec<String> = (0..30).map(|number| format!("list:{number:02}")).collect();
    expected.push("list:joined".into());
    assert_eq!(names(&all), expected, "subscribers or publications make a channel active");
    let fifth = &all[5];
    assert_eq!((fifth.held, fifth.position.map(|position| position.offset)), (6, Some(6)));
    assert_eq!((all[30].held, all[30].position), (0, None));
    let mut paged = Vec::new();
    loop {
        let page = fixture.list("list:??", paged.last().map(|channel: &ChannelSummary| channel.name.as_str()), 7).await;
        paged.extend_from_slice(&page);
        if page.len() < 7 {
            break;
        }
    }
    assert_eq!(names(&paged), expected[..30]);
    assert_eq!(names(&fixture.list("list:0*9", None, 100).await), ["list:09"]);
    assert_eq!(names(&fixture.list("list:07", None, 100).await), ["list:07"]);
    assert!(fixture.list("list:*", None, 0).await.is_empty());
    fixture.broker.clear(&channel("list:07")).await.expect("cleared");
    fixture.broker.unsubscribe(&channel("list:joined"), worker(0));
    (fixture.pass)(Duration::from_secs(5)).await;
    assert!(fixture.list("list:07", None, 100).await.is_empty());
    assert!(fixture.list("list:j*", None, 100).await.is_empty());
}

pub async fn subscriptions_of_users_are_kept_until_they_end(fixture: &BrokerFixture) {
    let (alice, bob): (UserId, UserId) = ("alice".parse().expect("valid"), "bob".parse().expect("valid"));
    let put = async |user: &UserId, name: &str, expires_at| {
        let subscription = UserSubscription { channel: channel(name), expires_at };
        fixture.broker.put_user_subscription(user, subscription).await
    };
    let list = async |user: &UserId| {
        let mut all = fixture.broker.user_subscriptions(user).await.expect("listed");
        all.sort_by(|a, b| a.channel.cmp(&b.channel));
        all.into_iter().map(|one| (one.channel.to_string(), one.expires_at)).collect::<Vec<_>>()
    };
    let far = Some(u64::from(u32::MAX));
    for (name, end) in [("a", None), ("b", far), ("past", Some(1)), ("b", None), ("a", far)] {
        put(&alice, name, end).await.expect("stored");
    }
    assert_eq!(list(&alice).await, [("a".into(), far), ("b".into(), None)], "the same channel is replaced");
    assert!(list(&bob).await.is_empty());
    let delete = async |name| fixture.broker.delete_user_subscription(&alice, &channel(name)).await;
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

pub async fn revocations_are_remembered_for_their_time(fixture: &BrokerFixture) {
    let user = |name: &str| RevocationTarget::User(name.parse().expect("valid"));
    let of = |claim, value| RevocationTarget::Claim(claim, ClaimDigest::new("https://login", claim, value));
    let revoked = async |target: &RevocationTarget| fixture.broker.revoked(target).await.expect("read");
    let targets = [user("alice"), of(RevocableClaim::Session, "s"), of(RevocableClaim::Token, "s"), of(RevocableClaim::Subject, "alice")];
    for target in &targets {
        assert_eq!(revoked(target).await, None);
    }
    for (target, number) in targets.iter().zip(1..) {
        let until = |until| Revocation { until, code: 3503, reason: format!("a \"reason\" of several words {number}").into() };
        fixture.broker.revoke(target, until(10), HOUR).await.expect("stored");
        fixture.broker.revoke(target, until(20), HOUR).await.expect("stored");
        assert_eq!(revoked(target).await, Some(until(20)), "{target}");
        let behind = Revocation { until: 15, code: 4501, reason: "late".into() };
        fixture.broker.revoke(target, behind.clone(), HOUR).await.expect("stored");
        assert_eq!(revoked(target).await, Some(Revocation { until: 20, ..behind.clone() }), "{target}, by a node whose clock is behind");
        for until in [Revocation::ALWAYS, 15] {
            fixture.broker.revoke(target, Revocation { until, ..behind.clone() }, HOUR).await.expect("stored");
            assert_eq!(revoked(target).await, Some(Revocation { until: Revocation::ALWAYS, ..behind.clone() }), "{target}, for ever");
        }
    }
    let (bob, short) = (user("bob"), Revocation { until: 30, code: 4500, reason: "".into() });
    fixture.broker.revoke(&bob, short.clone(), Duration::from_secs(2)).await.expect("stored");
    assert_eq!(revoked(&bob).await, Some(short));
    // The memory broker uses the clock of the system, which no test can advance; it has a test of its own.
    if fixture.broker.nodes().is_some() {
        (fixture.pass)(Duration::from_secs(3)).await;
        assert_eq!((revoked(&bob).await, revoked(&targets[1]).await.is_some()), (None, true), "forgotten after its time, and no other");
    }
}

pub async fn what_ended_with_a_dead_node_is_found_until_struck_out(fixture: &BrokerFixture) {
    let Some(nodes) = fixture.broker.nodes() else {
        return assert!(matches!(*fixture.broker, Broker::Memory(_)), "only there nobody else could ask");
    };
    nodes.register("{}", Duration::from_millis(1)).await.expect("entered");
    let dead = nodes.list().await.expect("listed").remove(0).id;
    let users = ["alice", "", "bob"].into_iter().cycle().map(|name| name.parse::<UserId>().expect("valid"));
    let key = |number: u64| match number % 2 {
        0 => RegistryKey::Connection(ConnectionId::random()),
        _ => RegistryKey::Subscription { connection: ConnectionId::random(), number, channel: channel("#a b {x}") },
    };
    let all: Vec<_> = (0..1200).map(key).zip(users).collect();
    nodes.register_entries(&[]).await.expect("nothing to do");
    for some in all.chunks(250) {
        nodes.register_entries(some).await.expect("entered");
    }
    nodes.register_entries(&all[..10]).await.expect("entered again");
    let ended: Vec<_> = all[..50].iter().map(|(key, _)| key.clone()).collect();
    nodes.unregister_entries(&ended).await.expect("struck out");
    let (mut found, mut steps) = (Vec::new(), 0);
    loop {
        let some = nodes.registered_entries(&dead).await.expect("read");
        if some.is_empty() {
            break;
        }
        let keys: Vec<_> = some.iter().map(|(key, _)| key.clone()).collect();
        nodes.unregister_entries_of(&dead, &keys).await.expect("struck out");
        nodes.unregister_entries_of(&dead, &keys).await.expect("struck out twice");
        found.extend(some);
        steps += 1;
    }
    assert!(steps > 2, "in steps");
    assert!(found.is_sorted_by_key(|(key, _)| matches!(key, RegistryKey::Connection(_))), "the end of a connection comes last");
    assert_eq!(found.len(), all.len() - 50, "once");
    assert_eq!(found.into_iter().collect::<HashSet<_>>(), all[50..].iter().cloned().collect());
}

pub async fn an_occupation_lasts_until_nobody_holds_the_channel(fixture: &BrokerFixture) {
    let (broker, a, b) = (&fixture.broker, channel("c:a"), channel("c:b"));
    let hold = async |channel| broker.hold(channel).await.expect("held");
    let vacate = async |channel, generation| broker.vacate(channel, generation, Duration::ZERO).await.expect("asked");
    let first = hold(&a).await;
    assert!(first.began && first.generation > 1_700_000_000_000, "{first:?}");
    assert_eq!(hold(&a).await, first, "a repeat changes nothing, and gives the same answer");
    assert_eq!(vacate(&a, first.generation).await, Vacate::Occupied);
    assert_eq!(broker.release(&a).await.expect("released"), Release::Vacant(first.generation));
    assert_eq!(broker.release(&a).await.expect("released"), Release::Vacant(first.generation), "a repeat changes nothing");
    let again = hold(&a).await;
    assert_eq!((again.generation, again.began), (first.generation, false), "it is not over");
    broker.release(&a).await.expect("released");
    for _ in 0..2 {
        assert_eq!(vacate(&a, first.generation).await, Vacate::Over);
    }
    assert_eq!(broker.release(&a).await.expect("released"), Release::Unoccupied);
    let second = hold(&a).await;
    assert!(second.began && second.generation > first.generation, "{second:?} after {first:?}");
    assert_eq!(vacate(&a, first.generation).await, Vacate::Over);
    assert_eq!(vacate(&a, second.generation).await, Vacate::Occupied);
    assert!(hold(&b).await.began, "channels count for themselves");
}

pub async fn a_channel_lingers_from_its_last_release(fixture: &BrokerFixture) {
    let (broker, channel) = (&fixture.broker, channel("c:lingers"));
    let generation = broker.hold(&channel).await.expect("held").generation;
    let left = async || match broker.vacate(&channel, generation, HOUR).await.expect("asked") {
        Vacate::Lingers(left) => left,
        other => panic!("{other:?}"),
    };
    broker.release(&channel).await.expect("released");
    let first = left().await;
    assert!(first <= HOUR && first + Duration::from_secs(30) > HOUR, "{first:?}");
    (fixture.pass)(Duration::from_secs(2)).await;
    broker.release(&channel).await.expect("released");
    let later = left().await;
    assert!(later < first, "a repeat of the release changes nothing: {later:?}");
    assert!(!broker.hold(&channel).await.expect("held").began);
    assert_eq!(broker.vacate(&channel, generation, Duration::ZERO).await.expect("asked"), Vacate::Occupied);
    broker.release(&channel).await.expect("released");
    let again = left().await;
    assert!(again > later, "it counts from the last release: {again:?}");
    assert_eq!(broker.vacate(&channel, generation, Duration::ZERO).await.expect("asked"), Vacate::Over);
}

/// Valid names that a store might read as something else, such as a pattern or a key.
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

pub async fn names_of_users_are_kept_apart_whatever_they_hold(fixture: &BrokerFixture) {
    let all = ODD.map(|name| client(name).user.clone()).map(|user| (ChannelName::personal(&user).expect("not anonymous"), user));
    let mut inbox = Inbox::new(&fixture.mailboxes[0]);
    for ((channel, user), number) in all.iter().zip(1..) {
        fixture.join(channel, 0).await;
        fixture.publish_all(channel, 0..number, KEEP).await;
        for _ in 0..number {
            assert_eq!(inbox.publication().await.0, *channel);
        }
        fixture.broker.presence_add(channel, client(user)).await.expect("added");
        fixture.broker.presence_add(channel, client("alice")).await.expect("added");
        let subscription = UserSubscription { channel: channel.clone(), expires_at: None };
        fixture.broker.put_user_subscription(user, subscription).await.expect("stored");
        let revocation = Revocation { until: number, code: 4500, reason: user.as_str().into() };
        fixture.broker.revoke(&user.clone().into(), revocation, HOUR).await.expect("revoked");
    }
    for ((channel, user), number) in all.iter().zip(1..) {
        assert_eq!(fixture.offsets(channel, ReadRange::After(0)).await, (1..=number).collect::<Vec<_>>());
        let stats = fixture.broker.presence_stats(channel).await.expect("counted");
        assert_eq!(stats, PresenceStats { clients: 2, users: 2 }, "{channel}");
        let present = fixture.broker.presence(channel, 10).await.expect("read");
        assert_eq!(present.iter().filter(|info| info.user == *user).count(), 1, "{channel}");
        let stored = fixture.broker.user_subscriptions(user).await.expect("read");
        assert_eq!(stored, [UserSubscription { channel: channel.clone(), expires_at: None }]);
        let revoked = fixture.broker.revoked(&user.clone().into()).await.expect("read").expect("remembered");
        assert_eq!((revoked.until, &*revoked.reason), (number, user.as_str()));
        let listed = fixture.list(channel, None, 10).await;
        assert!(names(&listed).contains(&channel.as_str()), "{channel}");
    }
    let mut expected: Vec<_> = all.iter().map(|(channel, _)| channel.as_str()).collect();
    expected.sort_unstable();
    assert_eq!(names(&fixture.list("#*", None, 100).await), expected);
    assert_eq!(names(&fixture.list("#*", Some(expected[5]), 3).await), expected[6..9]);
    assert_eq!(names(&fixture.list("#??? ??*", None, 3).await), [] as [&str; 0]);
    assert_eq!(names(&fixture.list("#?? ?? *", None, 3).await), ["#山田 太郎 \"'<&"], "a question mark is one character");
}
