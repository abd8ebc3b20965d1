//! Failures of connections and of Redis, which must lose no publication without notice.

use super::support::{KEEP, config, eventually, mailboxes, not_ready, publish, ready, start};
use futures_util::future::join_all;
use gateway::{
    broker::{Broker, BrokerError, Delivery, MailboxEntry, NewPublication, NewPublications, Readiness, RedisConfig, TopReason},
    testing::{
        fixtures::{ALL, Inbox, channel, data, ephemeral, json, kept, key, offset, retention, worker},
        internals::DELIVERY_TIMEOUT,
    },
};
use gateway_core::model::{Position, ReadRange, Tags};
use redis_testing::{Impairment, Options, Proxy, Server, Signal};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

/// Drops all messages of the channel `c`.
fn loses_messages() -> Impairment {
    Impairment { lost_channel: Some("test:{c}".into()), ..Impairment::default() }
}

/// Publishes the numbers from 1 to `last` in a task, without waiting for the answers in between.
fn publish_up_to(broker: &Arc<Broker>, last: u64) -> JoinHandle<Vec<Result<Position, BrokerError>>> {
    let broker = broker.clone();
    tokio::spawn(async move { join_all((1..=last).map(|number| publish(&broker, "c", number))).await })
}

/// Waits for the next top that the worker has to compare with its own position.
async fn next_top(inbox: &mut Inbox) -> (String, u64, TopReason) {
    loop {
        if let MailboxEntry::Top(channel, top, check) = inbox.next().await {
            return (channel.to_string(), top.offset, check);
        }
    }
}

// NL-3.3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_subscriber_connection_is_replaced_and_its_channels_are_checked() {
    let server = Server::start().await;
    let mailboxes = mailboxes();
    let (broker, _guard) = start(config(server.url()), mailboxes.clone());
    let mut inbox = Inbox::new(&mailboxes[0]);
    for (name, keep) in [("c:kept", Some(KEEP)), ("c:unkept", None)] {
        broker.subscribe(&channel(name), worker(0), keep).await.expect("subscribed");
    }
    publish(&broker, "c:kept", 1).await.expect("published");
    assert_eq!(offset(&inbox.publication().await.1), 1);
    for round in 0..3 {
        server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        let top = publish(&broker, "c:kept", round).await.expect("publishing goes on").offset;
        let (name, seen, check) = next_top(&mut inbox).await;
        assert_eq!((&*name, check), ("c:kept", TopReason::Resumed), "only what is kept can be read again");
        assert!(seen >= top, "the top was read after the subscription");
        let later = publish(&broker, "c:kept", 9).await.expect("published").offset;
        loop {
            if let MailboxEntry::Delivery(_, Delivery::Publication(publication)) = inbox.next().await
                && offset(&publication) == later
            {
                break;
            }
        }
    }
    ready(&broker).await;
}

// NL-2.7
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_unreachable_publishes_fail_with_a_certain_outcome_and_then_everything_resumes() {
    let mut server = Server::start().await;
    let mailboxes = mailboxes();
    let config = RedisConfig { deadline: Duration::from_millis(700), ..config(server.url()) };
    let (broker, _guard) = start(config, mailboxes.clone());
    ready(&broker).await;
    let mut inbox = Inbox::new(&mailboxes[0]);
    broker.subscribe(&channel("c"), worker(0), Some(KEEP)).await.expect("subscribed");
    publish(&broker, "c", 1).await.expect("published");
    server.kill();
    eventually("it says so", || matches!(broker.readiness(), Readiness::NotReady(_))).await;
    // Redis may have executed a command that was sent before the broken connection was detected.
    while publish(&broker, "c", 2).await == Err(BrokerError::OutcomeUnknown) {}
    let began = Instant::now();
    assert!(matches!(publish(&broker, "c", 2).await, Err(BrokerError::Unavailable(_))), "it was never sent");
    assert!(began.elapsed() < Duration::from_secs(3), "by its deadline");
    assert!(matches!(broker.publish(&channel("c"), ephemeral(2)).await, Err(BrokerError::Unavailable(_))));
    assert!(broker.read(&channel("c"), KEEP, ReadRange::Top, ALL).await.is_err());
    server.resume().await;
    ready(&broker).await;
    let top = publish(&broker, "c", 3).await.expect("published");
    assert_eq!(top.offset, 1, "what Redis kept in memory only is gone, and says so by its epoch");
    let mut found = false;
    while !found {
        match inbox.next().await {
            MailboxEntry::Top(name, ..) | MailboxEntry::Dirty(name) => found = name == channel("c"),
            MailboxEntry::Delivery(..) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_that_waits_for_redis_is_executed_when_redis_is_back() {
    let mut server = Server::start().await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    ready(&broker).await;
    server.kill();
    let all = publish_up_to(&broker, 20);
    sleep(Duration::from_millis(300)).await;
    server.resume().await;
    let offsets: Vec<_> = all.await.expect("no panic").into_iter().map(|done| done.expect("in time").offset).collect();
    assert_eq!(offsets, (1..=20).collect::<Vec<_>>(), "in the order in which they came");
}

// NL-2.3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_redis_causes_no_duplicates_and_no_disorder() {
    let server = Server::start().await;
    let (broker, _guard) = start(RedisConfig { deadline: Duration::from_secs(8), ..config(server.url()) }, mailboxes());
    ready(&broker).await;
    publish(&broker, "c", 0).await.expect("published");
    server.signal(Signal::STOP);
    let all = publish_up_to(&broker, 50);
    // Longer than the time limit of an answer: the gateway closes connections that still wait for answers.
    sleep(Duration::from_millis(2500)).await;
    server.signal(Signal::CONT);
    for done in all.await.expect("no panic") {
        done.expect("in time");
    }
    let page = broker.read(&channel("c"), KEEP, ReadRange::After(0), ALL).await.expect("read");
    let numbers: Vec<u64> = page.publications.iter().map(|one| json(one).parse().expect("a number")).collect();
    assert_eq!(numbers, (0..=50).collect::<Vec<_>>());
}

// NL-2.5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_after_its_deadline_is_never_stored() {
    let server = Server::start().await;
    let (broker, _guard) = start(RedisConfig { deadline: Duration::from_millis(600), ..config(server.url()) }, mailboxes());
    ready(&broker).await;
    publish(&broker, "c", 1).await.expect("published");
    server.signal(Signal::STOP);
    let error = publish(&broker, "c", 2).await.expect_err("no answer");
    assert_eq!(error, BrokerError::OutcomeUnknown, "it was sent");
    server.signal(Signal::CONT);
    let next = publish(&broker, "c", 3).await.expect("published").offset;
    sleep(Duration::from_millis(300)).await;
    let page = broker.read(&channel("c"), KEEP, ReadRange::After(0), ALL).await.expect("read");
    let numbers: Vec<_> = page.publications.iter().map(|one| json(one).to_owned()).collect();
    assert_eq!((next, numbers), (2, vec!["1".to_owned(), "3".to_owned()]));
}

// NL-2.11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_scripts_are_loaded_again() {
    let server = Server::start().await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    for number in 1..=3 {
        assert_eq!(publish(&broker, "c", number).await.expect("published").offset, number);
        server.command(&["SCRIPT", "FLUSH"]).await;
        assert_eq!(broker.read(&channel("c"), KEEP, ReadRange::Top, ALL).await.expect("read").top, number);
        server.command(&["SCRIPT", "FLUSH"]).await;
    }
}

// NL-1.1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_that_kept_the_data_forks_the_timeline() {
    let mut server = Server::start().await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    for number in 1..=3 {
        publish(&broker, "c", number).await.expect("published");
    }
    let before = broker.read(&channel("c"), KEEP, ReadRange::Top, ALL).await.expect("read");
    server.command(&["SAVE"]).await;
    publish(&broker, "c", 4).await.expect("published, and forgotten");
    server.kill();
    server.resume().await;
    let after = broker.read(&channel("c"), KEEP, ReadRange::After(0), ALL).await.expect("read");
    assert_eq!((after.top, after.publications.len()), (3, 3));
    assert_ne!(after.epoch, before.epoch);
    assert_eq!(after.forks, [Position { epoch: before.epoch, offset: 3 }], "positions up to here go on, later ones are lost");
    assert_eq!(publish(&broker, "c", 5).await.expect("published"), Position { epoch: after.epoch, offset: 4 });
}

// NL-1.2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_eight_forks_of_a_channel_are_kept() {
    let server = Server::start().await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    let mut left = Vec::new();
    for number in 1..=10 {
        left.push(publish(&broker, "c", number).await.expect("published"));
        // As after a failover, the data has another replication id than the server.
        server.command(&["HSET", "test:{c}:meta", "replid", "another"]).await;
    }
    let page = broker.read(&channel("c"), KEEP, ReadRange::Top, ALL).await.expect("read");
    left.reverse();
    assert_eq!(page.forks, left[..8]);
}

// NL-1.10
/// An aborted move of a slot, which was repeated after a failover, leaves this: the meta is current, and the stream belongs to an earlier
/// timeline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_ahead_of_its_channel_is_discarded() {
    let server = Server::start().await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    for name in ["read", "published"] {
        let before = publish(&broker, name, 1).await.expect("published");
        server.command(&["XADD", &format!("test:{{{name}}}:stream"), "9-0", "d", r#"{"d":9}"#]).await;
        let expected = if name == "read" { 1 } else { 2 };
        if name == "published" {
            assert_eq!(publish(&broker, name, 2).await.expect("published").offset, 2);
        }
        let page = broker.read(&channel(name), KEEP, ReadRange::After(0), ALL).await.expect("read");
        assert_eq!((page.top, page.publications.len()), (expected, expected as usize - 1), "{name}");
        assert_eq!(page.forks, [before], "{name}: a reader beyond it learns of the loss");
        assert_ne!(page.epoch, before.epoch);
        let next = publish(&broker, name, 3).await.expect("published");
        assert_eq!(next, Position { epoch: page.epoch, offset: expected + 1 }, "{name}");
    }
}

// NL-1.11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_connections_follow_the_first_one_to_another_server() {
    for kind in ["pubsub", "normal"] {
        let (old, new) = (Server::start().await, Server::start().await);
        let mailboxes = mailboxes();
        let (broker, _guard) = start(config(old.url()), mailboxes.clone());
        let mut inbox = Inbox::new(&mailboxes[0]);
        broker.subscribe(&channel("c"), worker(0), Some(KEEP)).await.expect("subscribed");
        ready(&broker).await;
        let mut at_old = old.connection().await;
        new.take_over(&old);
        at_old.command(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]).await.expect("carried out");
        at_old.left_alone().await;
        ready(&broker).await;
        let epoch = publish(&broker, "c", 1).await.expect("published").epoch;
        loop {
            if let MailboxEntry::Delivery(_, Delivery::Publication(publication)) = inbox.next().await
                && publication.position.map(|at| at.epoch) == Some(epoch)
            {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_without_deliveries_is_resubscribed_and_checked() {
    let server = Server::start().await;
    let mailboxes = mailboxes();
    let (broker, _guard) = start(config(server.url()), mailboxes.clone());
    let mut inbox = Inbox::new(&mailboxes[0]);
    broker.subscribe(&channel("c"), worker(0), Some(KEEP)).await.expect("subscribed");
    publish(&broker, "c", 1).await.expect("published");
    assert_eq!(offset(&inbox.publication().await.1), 1);
    broker.resubscribe(&channel("c"));
    let (name, top, check) = next_top(&mut inbox).await;
    assert_eq!((&*name, top, check), ("c", 1, TopReason::Resumed));
    publish(&broker, "c", 2).await.expect("published");
    assert_eq!(offset(&inbox.publication().await.1), 2, "once, and from now on");
    let redis = broker.stats().redis.expect("over Redis");
    assert_eq!((redis.resubscribed, redis.missing_deliveries, redis.broken), (1, 0, 0));
}

// NL-6.3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_delivery_of_an_acknowledged_publication_renews_the_subscription() {
    let server = Server::start().await;
    let mailboxes = mailboxes();
    let line = Proxy::to_socket(&server.socket());
    let patient = RedisConfig { canary_interval: Duration::from_secs(2), ..config(line.url()) };
    let (broker, _guard) = start(patient, mailboxes.clone());
    let mut inbox = Inbox::new(&mailboxes[0]);
    broker.subscribe(&channel("c"), worker(0), Some(KEEP)).await.expect("subscribed");
    publish(&broker, "c", 1).await.expect("published");
    assert_eq!(offset(&inbox.publication().await.1), 1);
    line.impair(loses_messages());
    let began = Instant::now();
    publish(&broker, "c", 2).await.expect("published, and received by nobody");
    let (name, top, check) = next_top(&mut inbox).await;
    assert_eq!((&*name, top, check), ("c", 2, TopReason::Resumed));
    assert!(began.elapsed() >= DELIVERY_TIMEOUT, "it had its time");
    line.impair(Impairment::default());
    publish(&broker, "c", 3).await.expect("published");
    assert_eq!(offset(&inbox.publication().await.1), 3);
    let redis = broker.stats().redis.expect("over Redis");
    assert_eq!((redis.missing_deliveries, redis.resubscribed, redis.broken), (1, 1, 0), "the connection itself was good all along");
}

// NL-6.2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_finds_missing_deliveries_of_another_nodes_publications() {
    let server = Server::start().await;
    let (ours, theirs) = (mailboxes(), mailboxes());
    let line = Proxy::to_socket(&server.socket());
    let patient = RedisConfig { canary_interval: Duration::from_millis(500), ..config(line.url()) };
    let (broker, _guard) = start(patient, ours.clone());
    let (other, _other) = start(RedisConfig { node: Arc::from("node-2"), ..config(server.url()) }, theirs);
    let mut inbox = Inbox::new(&ours[0]);
    broker.subscribe(&channel("c"), worker(0), Some(KEEP)).await.expect("subscribed");
    line.impair(loses_messages());
    let mut last = 1;
    publish(&other, "c", last).await.expect("published");
    loop {
        let (name, top, check) = next_top(&mut inbox).await;
        assert_eq!(&*name, "c");
        if top == last {
            match check {
                TopReason::Audit => return,
                // A canary was late, so the gateway replaced the connection. The audit has to find the next one.
                TopReason::Resumed => last += 1,
            }
            publish(&other, "c", last).await.expect("published");
        }
    }
}

// NL-6.2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_checks_every_channel() {
    let server = Server::start().await;
    let mailboxes = mailboxes();
    let (broker, _guard) = start(config(server.url()), mailboxes.clone());
    let mut inbox = Inbox::new(&mailboxes[0]);
    broker.subscribe(&channel("c"), worker(0), Some(KEEP)).await.expect("subscribed");
    let (name, top, check) = next_top(&mut inbox).await;
    assert_eq!((&*name, top, check), ("c", 0, TopReason::Audit), "each channel is looked at, whether anything happens or not");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn problems_are_reported_in_a_sentence() {
    let mut server = Server::start().await;
    server.kill();
    server.resume_with(&["--requirepass", "secret"]).await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    let why = |part: &'static str| not_ready(&broker, part);
    why("does not accept the user or password in redis.url").await;
    server.kill();
    why("cannot be reached").await;
    server.resume_with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]).await;
    why("maxmemory-policy allkeys-lru").await;
}

// NL-2.1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_type_fails_the_request_and_changes_nothing() {
    let server = Server::start().await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    for name in ["test:{c:meta}:meta", "test:{c:stream}:stream"] {
        server.command(&["SET", name, "ours"]).await;
    }
    for name in ["c:meta", "c:stream"] {
        let Err(BrokerError::Unavailable(why)) = publish(&broker, name, 1).await else { panic!("published into {name}") };
        assert!(why.contains(&format!("test:{{{name}}}:meta, test:{{{name}}}:stream")), "the keys are named: {why}");
    }
    for name in ["c:meta", "c:stream"] {
        let items = vec![(data(1).into(), Tags::new()); 3];
        let several = NewPublications { items, traceparent: None, retention: KEEP, identity: None };
        assert!(matches!(broker.publish_all(&channel(name), several).await, Err(BrokerError::Unavailable(_))), "{name}");
    }
    server.command(&["DEL", "test:{c:stream}:stream"]).await;
    assert_eq!(publish(&broker, "c:stream", 2).await.expect("published").offset, 1, "no offset was taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_deliver_each_others_publications() {
    let server = Server::start().await;
    let (ours, theirs) = (mailboxes(), mailboxes());
    let (first, _one) = start(config(server.url()), ours.clone());
    let (second, _two) = start(RedisConfig { node: Arc::from("node-2"), ..config(server.url()) }, theirs.clone());
    let (mut at_first, mut at_second) = (Inbox::new(&ours[0]), Inbox::new(&theirs[1]));
    first.subscribe(&channel("c"), worker(0), Some(KEEP)).await.expect("subscribed");
    second.subscribe(&channel("c"), worker(1), Some(KEEP)).await.expect("subscribed");
    for number in 1..=100 {
        let broker = if number % 2 == 0 { &first } else { &second };
        assert_eq!(publish(broker, "c", number).await.expect("published").offset, number);
    }
    for number in 1..=100 {
        for inbox in [&mut at_first, &mut at_second] {
            assert_eq!(offset(&inbox.publication().await.1), number);
        }
    }
    let with = |body| NewPublication { identity: Some(key("api", "k", body)), ..kept("x", retention(10, KEEP.ttl)) };
    let once = first.publish(&channel("once"), with(1)).await.expect("published");
    assert_eq!(second.publish(&channel("once"), with(1)).await.expect("answered").position, once.position);
    assert_eq!(second.publish(&channel("once"), with(2)).await, Err(BrokerError::IdempotencyMismatch));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_replication_id_begins_a_new_timeline() {
    let (server, replica) = (Server::start_with(Options::default().with_port()).await, Server::start().await);
    let (broker, _guard) = start(config(server.url()), mailboxes());
    let before = publish(&broker, "c", 1).await.expect("published");
    replica.follow(&server).await;
    let info = server.info("replication").await;
    assert!(info.contains("connected_slaves:1\r"), "{info}");
    assert!(info.contains("second_repl_offset:-1\r"), "the server names no predecessor: {info}");
    let page = broker.read(&channel("c"), KEEP, ReadRange::After(0), ALL).await.expect("read");
    assert_eq!((page.top, page.publications.len()), (1, 1));
    assert_eq!(page.forks, [before], "its position goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_writes_takes_the_node_out_of_service_until_it_accepts_them() {
    let server = Server::start_with(Options::default().with(&["--enable-protected-configs", "yes"])).await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    ready(&broker).await;

    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    not_ready(&broker, "refuses writes: it has reached maxmemory").await;
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    ready(&broker).await;

    let disk = tempfile::tempdir().expect("a folder");
    server.command(&["CONFIG", "SET", "dir", disk.path().to_str().expect("UTF-8")]).await;
    server.command(&["CONFIG", "SET", "save", "3600 1"]).await;
    drop(disk);
    server.command(&["BGSAVE"]).await;
    not_ready(&broker, "refuses writes: it cannot save its data to disk").await;
    server.command(&["CONFIG", "SET", "save", ""]).await;
    ready(&broker).await;
}
