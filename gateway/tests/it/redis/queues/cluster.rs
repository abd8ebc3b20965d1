//! Queues in a Redis Cluster.

use crate::redis::support::{DOCUMENTED, config, queues_of, with_queues};
use gateway::{
    broker::{RedisConfig, RedisQueues},
    queue_contract,
    queues::QueueStore as _,
    testing::contract::queues::{ALL, QueueFixture, entry, ids, partition},
};
use gateway_core::queue::Enqueued;
use redis_testing::{Cluster, ClusterOptions, Login, slot};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// A store whose Redis user has exactly the documented rights. Each has its own key prefix.
async fn fixture() -> QueueFixture<RedisQueues> {
    static BEDS: AtomicU64 = AtomicU64::new(0);
    let cluster = Cluster::shared().await;
    let number = BEDS.fetch_add(1, Relaxed);
    let (prefix, login) = (format!("queues{number}"), Login::new(&format!("queues{number}"), "secret"));
    let rights: Vec<_> = DOCUMENTED.into_iter().map(|right| right.replace("test", &prefix)).chain(["+cluster|nodes".into()]).collect();
    cluster.set_user(&login, &rights.iter().map(String::as_str).collect::<Vec<_>>()).await;
    queues_of(RedisConfig { prefix, ..with_queues(config(cluster.url_of(&login))) }, cluster)
}

queue_contract! { [tokio::test(flavor = "multi_thread", worker_threads = 2)] fixture().await }

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_whose_slot_moves_loses_nothing_and_keeps_its_order() {
    let mut cluster = Cluster::start(ClusterOptions::default()).await;
    let mut config = RedisConfig { deadline: Duration::from_secs(15), ..with_queues(config(cluster.url())) };
    config.queues.as_mut().expect("with queues").lease = Duration::from_secs(30);
    config.queues.as_mut().expect("with queues").max_length = 100_000;
    let fixture = queues_of(config, ());
    let at =
        (0..1000).map(|number| partition(&format!("q{number}"))).find(|at| cluster.owner(slot(&format!("{{{at}}}"))) == 0).expect("one");
    let moving = slot(&format!("{{{at}}}"));
    let (owner, first) = fixture.acquire(&at).await;
    let (mut last, mut read) = (0, Vec::new());
    for to in [1, 2, 0] {
        let writes = async {
            for _ in 0..30 {
                let mut answers = Vec::new();
                for number in last + 1..=last + 5 {
                    answers.push(fixture.store.hand_over(&at, entry(&number.to_string())).await.expect("there is room"));
                }
                last += 5;
                for answer in answers {
                    assert!(matches!(answer.await, Ok(Enqueued::Stored(_))));
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        let consumes = async {
            loop {
                let entries = fixture.store.read_new(&at, &owner, ALL).await.expect("read");
                read.extend(ids(&entries));
                let done: Vec<_> = entries.iter().map(|entry| entry.id).collect();
                fixture.store.acknowledge(&at, &owner, &done).await.expect("acknowledged");
                sleep(Duration::from_millis(5)).await;
            }
        };
        let moves = cluster.move_slot(moving, to, sleep(Duration::from_millis(200)));
        let all = async { tokio::join!(writes, moves) };
        tokio::select! {
            _ = all => {}
            () = consumes => {}
        }
        let renewed = async { while fixture.store.renew(&at, &owner).await.is_err() {} };
        timeout(Duration::from_secs(20), renewed).await.expect("the owner goes on");
        cluster.settle().await;
    }
    loop {
        let entries = fixture.read(&at, &owner).await;
        if entries.is_empty() {
            break;
        }
        read.extend(ids(&entries));
    }
    // A read that was given up above may come again.
    let pending = ids(&fixture.pending(&at, &owner).await);
    assert!(pending.iter().all(|id| read.contains(id)), "{pending:?}");
    let mut once = read.clone();
    once.dedup();
    assert_eq!(once, (1..=last).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(fixture.store.renew(&at, &owner).await.expect("renewed").epoch, first.epoch);
    let (after, put) = (entry_id(&fixture, &at).await, async {
        sleep(Duration::from_millis(100)).await;
        fixture.put(&at, "last").await;
    });
    let waits = timeout(Duration::from_secs(5), fixture.store.arrival(&at, after));
    tokio::join!(waits, put).0.expect("entries at the new master are noticed");
}

async fn entry_id(fixture: &QueueFixture<RedisQueues>, at: &gateway_core::queue::PartitionId) -> gateway_core::queue::EntryId {
    fixture.put(at, "newest").await
}
