use super::{repeats::ID_TTL, *};
use crate::{
    broker::BrokerError,
    queue_contract,
    queues::QueueStore as _,
    testing::contract::queues::{QueueFixture, entry, partition},
};
use gateway_core::queue::{Enqueued, EntryId};
use std::{sync::Arc, time::Duration};

const LIMITS: MemoryLimits = MemoryLimits { lease: Duration::from_secs(10), max_length: 50, max_dead: 3, memory_bytes: 1 << 20 };

fn fixture() -> QueueFixture<MemoryQueues> {
    QueueFixture {
        store: Arc::new(MemoryQueues::new(LIMITS)),
        max_length: 50,
        max_dead: 3,
        id_ttl: ID_TTL,
        pass: |time| Box::pin(tokio::time::advance(time)),
        keep: Box::new(()),
    }
}

queue_contract!([tokio::test(start_paused = true)] fixture());

#[tokio::test(start_paused = true)]
async fn all_partitions_share_the_memory_and_give_it_back() {
    let QueueFixture { store, .. } = fixture();
    let large = |id: &str| gateway_core::queue::NewEntry { event: vec![b'1'; 100_000].into(), ..entry(id) };
    let mut stored = Vec::new();
    let refused = loop {
        let at = partition(["one", "two"][stored.len() % 2]);
        match store.hand_over(&at, large(&stored.len().to_string())).await.expect("handed over").await {
            Ok(Enqueued::Stored(id)) => stored.push((at, id)),
            other => break other,
        }
    };
    assert_eq!((stored.len(), refused), (10, Err(BrokerError::QueueFull { length: 5 })));
    let used = store.memory_used();
    assert!((1_000_000..LIMITS.memory_bytes).contains(&used), "{used}");
    for at in ["one", "two"].map(partition) {
        assert_eq!(store.purge(&at, 100).await, Ok(5));
    }
    tokio::time::advance(ID_TTL).await;
    for at in ["one", "two"].map(partition) {
        assert_eq!(store.status(&at).await.map(|status| status.depth), Ok(0));
    }
    assert_eq!(store.memory_used(), 0);
    let small = store.hand_over(&partition("one"), entry("more")).await.expect("handed over").await;
    assert!(matches!(small, Ok(Enqueued::Stored(EntryId { .. }))));
}
