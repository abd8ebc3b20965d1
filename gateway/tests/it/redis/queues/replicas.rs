//! Events that replicas have before they are accepted.

use crate::redis::support::{config, mailboxes, publish, queues_of, ready, start, with_queues};
use gateway::{
    broker::{BrokerError, RedisConfig, RedisQueues},
    queue_contract,
    queues::{OwnedError, QueueStore as _},
    testing::contract::queues::{ALL, QueueFixture, entry, ids, partition, value},
};
use gateway_core::queue::{Enqueued, RawEntry};
use redis_testing::{Options, SentinelOptions, Sentinels, Server};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// A configuration in which this many replicas must have an event.
fn with_replicas(config: RedisConfig, replicas: u32) -> RedisConfig {
    let mut config = with_queues(config);
    config.queues.as_mut().expect("with queues").replicas = replicas;
    config
}

async fn fixture() -> QueueFixture<RedisQueues> {
    let sentinels = Sentinels::start(SentinelOptions { count: 1, ..SentinelOptions::default() }).await;
    queues_of(with_replicas(config(sentinels.url()), 1), sentinels)
}

queue_contract! { [tokio::test(flavor = "multi_thread", worker_threads = 2)] fixture().await }

// NL-8.1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_has_outlives_a_failover() {
    let mut sentinels = Sentinels::start(SentinelOptions { down_after: Duration::from_millis(500), ..SentinelOptions::default() }).await;
    let mut config = RedisConfig { deadline: Duration::from_secs(180), ..with_replicas(config(sentinels.url()), 1) };
    config.queues.as_mut().expect("with queues").max_length = 1_000_000;
    let fixture = queues_of(config, ());
    let at = partition("failover");
    fixture.put(&at, "0").await;
    // The node stores without a pause while the master dies. Each event that is accepted counts.
    let (mut accepted, mut unknown) = (BTreeSet::from([0]), 0);
    let writes = async {
        let mut number = 0_u64;
        let mut until = None;
        while until.is_none_or(|until: Instant| Instant::now() < until) {
            let mut answers = Vec::new();
            for _ in 0..50 {
                number += 1;
                answers.push((number, fixture.store.hand_over(&at, entry(&number.to_string())).await.expect("there is room")));
            }
            let begun = Instant::now();
            for (number, answer) in answers {
                match answer.await {
                    Ok(_) => drop(accepted.insert(number)),
                    Err(BrokerError::OutcomeUnknown) => unknown += 1,
                    Err(error) => panic!("{number}: {error}"),
                }
            }
            if begun.elapsed() > Duration::from_millis(600) {
                until = Some(Instant::now() + Duration::from_secs(1));
            }
        }
        number
    };
    let dies = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sentinels.master().kill();
        sentinels.fails_over().await;
        sentinels.disable_failovers().await;
        // Without it the new master has no replica, and accepts nothing.
        sentinels.master().resume().await;
    };
    // On a busy machine the sentinels may give a failover up and begin again.
    let both = timeout(Duration::from_secs(170), async { tokio::join!(writes, dies) });
    let (last, ()) = both.await.expect("events are accepted again");
    let (owner, _) = fixture.acquire(&at).await;
    let mut found = Vec::new();
    loop {
        let entries = fixture.store.read_new(&at, &owner, ALL).await.expect("read");
        let Some(newest) = entries.last() else { break };
        assert!(newest.tries == 0);
        let number = |entry: &RawEntry| value(&entry.fields, "id").map(|id| String::from_utf8_lossy(&id).parse::<u64>());
        found.extend(entries.iter().map(|entry| number(entry).expect("an id").expect("a number")));
    }
    assert!(found.is_sorted_by(|one, next| one < next), "each once, in order: {found:?}");
    let found: BTreeSet<_> = found.into_iter().collect();
    let missing: Vec<_> = accepted.difference(&found).collect();
    assert!(missing.is_empty(), "{} of {} accepted are lost, from {:?} on", missing.len(), accepted.len(), missing.first());
    assert!(accepted.len() as u64 > last / 2, "{} of {last} accepted, {unknown} unknown", accepted.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_accepted_while_replicas_are_missing_and_publishes_do_not_wait() {
    let servers = [Server::start_with(Options::default().with_port()).await, Server::start_with(Options::default().with_port()).await];
    let configured = with_replicas(RedisConfig { deadline: Duration::from_secs(2), lanes: 1, ..config(servers[0].url()) }, 1);
    let (broker, _guard) = start(configured.clone(), mailboxes());
    ready(&broker).await;
    let (store, at) = (broker.queues().expect("with queues").clone(), partition("missing"));
    let mut waiting = Box::pin(store.hand_over(&at, entry("1")).await.expect("there is room"));
    let begun = Instant::now();
    for number in 1..=20 {
        publish(&broker, "c", number).await.expect("published");
        store.status(&at).await.expect("a status");
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!((&mut waiting).await, Err(BrokerError::OutcomeUnknown));
    assert!(broker.stats().redis.is_some_and(|redis| redis.unconfirmed_batches > 0), "it is counted");
    assert_eq!(store.status(&at).await.expect("a status").depth, 1, "Redis has it, but no answer says that it is accepted");

    let late = store.hand_over(&at, entry("2")).await.expect("there is room");
    servers[1].follow(&servers[0]).await;
    let late = late.await;
    assert!(matches!(late, Ok(Enqueued::Stored(_)) | Err(BrokerError::OutcomeUnknown)), "{late:?}");
    let begun = Instant::now();
    while store.hand_over(&at, entry("3")).await.expect("there is room").await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is accepted once a replica has it");
    }
    assert!(store.status(&at).await.expect("a status").depth >= 2, "each once");
}

// NL-8.13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_handed_out_before_replicas_have_it() {
    let servers = [Server::start_with(Options::default().with_port()).await, Server::start_with(Options::default().with_port()).await];
    servers[1].follow(&servers[0]).await;
    let mut configured = with_replicas(RedisConfig { deadline: Duration::from_secs(1), ..config(servers[0].url()) }, 1);
    configured.queues.as_mut().expect("with queues").lease = Duration::from_mins(5);
    let fixture = queues_of(configured, ());
    let at = partition("unconfirmed");
    fixture.put(&at, "1").await;
    let (owner, _) = fixture.acquire(&at).await;
    assert_eq!(ids(&fixture.read(&at, &owner).await), ["1"]);

    servers[1].fall_behind().await;
    let answer = fixture.store.hand_over(&at, entry("2")).await.expect("there is room").await;
    assert_eq!(answer, Err(BrokerError::OutcomeUnknown));
    assert_eq!(fixture.store.status(&at).await.expect("a status").depth, 2, "Redis has it");
    let read = fixture.store.read_new(&at, &owner, ALL).await;
    assert!(matches!(read, Err(OwnedError::Broker(BrokerError::OutcomeUnknown))), "{read:?}");
    let other = partition("unconfirmed-other");
    assert!(fixture.store.acquire(&other, &owner).await.is_err(), "a new owner would get what is pending");

    servers[1].catch_up().await;
    let begun = Instant::now();
    let found = loop {
        match fixture.store.read_new(&at, &owner, ALL).await {
            Ok(entries) => break entries,
            Err(OwnedError::Broker(_)) => assert!(begun.elapsed() < Duration::from_secs(20), "it is handed out once a replica has it"),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(ids(&found), ["2"]);
}
