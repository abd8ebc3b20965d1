use super::*;
use crate::queues::{MemoryLimits, MemoryQueues, QueueStore as _};
use gateway_core::queue::{
    DeadReason, NewEntry, PartitionId, QueueName,
    owner::{OwnerCount, OwnerLimits, Report},
};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

const LEASE: Duration = Duration::from_secs(10);
const LIMITS: MemoryLimits = MemoryLimits { lease: LEASE, max_length: 1_000_000, max_dead: 10, memory_bytes: 1 << 30 };

fn config(node: &str) -> OwnerConfig {
    OwnerConfig {
        node: node.into(),
        limits: OwnerLimits {
            tries: 3,
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(10),
            visibility: Duration::from_secs(30),
            window: 100,
            window_bytes: 1 << 20,
            blocked_ids: 1000,
            entry_bytes: 1 << 16,
        },
    }
}

fn partition() -> PartitionId {
    PartitionId { queue: QueueName::Service("chatbot".parse().expect("a name")), partition: 3 }
}

/// A node: the task of an owner, and what it has in common with those who deliver.
struct Node {
    handles: PartitionHandles,
    task: Pin<Box<dyn Future<Output = ()> + Send>>,
    preferred: watch::Sender<bool>,
    stop: CancellationToken,
}

impl Node {
    fn new(store: &Arc<MemoryQueues>, name: &str, preferred: bool) -> Self {
        let (preferred, receiver) = watch::channel(preferred);
        let stop = CancellationToken::new();
        let (handles, task) = own(store.clone(), partition(), config(name), receiver, stop.clone());
        Self { handles, task: Box::pin(task), preferred, stop }
    }

    /// Runs the task for this time.
    async fn run(&mut self, time: Duration) {
        let _ = timeout(time, &mut self.task).await;
    }

    /// The next delivery within this time, written if that is allowed.
    async fn next(&mut self, time: Duration) -> Option<Delivery> {
        let Self { handles, task, .. } = self;
        let next = async {
            loop {
                let delivery = handles.deliveries.recv().await?;
                let allowed = handles.guard.allows(delivery.ticket);
                let report = if allowed { Report::Sent } else { Report::NotSent };
                handles.reports.send((delivery.ticket, report)).await.ok()?;
                if allowed {
                    return Some(delivery);
                }
            }
        };
        tokio::select! {
            delivery = timeout(time, next) => delivery.ok().flatten(),
            () = task => None,
        }
    }

    async fn report(&mut self, delivery: &Delivery, report: Report) {
        self.handles.reports.send((delivery.ticket, report)).await.expect("the owner runs");
        self.run(Duration::from_millis(1)).await;
    }

    fn counted(&self, what: OwnerCount) -> u64 {
        self.handles.stats.counted(what)
    }
}

async fn put(store: &MemoryQueues, id: &str, key: &str) {
    let event = format!("{{\"data\":\"{id}\"}}").into();
    let entry = NewEntry { id: id.into(), key: key.into(), event, expires_after: None, once: None };
    store.hand_over(&partition(), entry).await.expect("handed over").await.expect("stored");
}

async fn depth(store: &MemoryQueues) -> u64 {
    store.status(&partition()).await.expect("a status").depth
}

fn store() -> Arc<MemoryQueues> {
    Arc::new(MemoryQueues::new(LIMITS))
}

const SOON: Duration = Duration::from_millis(100);

// NL-8.9
#[tokio::test(start_paused = true)]
async fn entries_are_delivered_and_deleted_with_their_acknowledgement() {
    let store = store();
    let mut node = Node::new(&store, "a", true);
    node.run(SOON).await;
    assert!(node.handles.stats.owned());
    put(&store, "1", "k").await;
    put(&store, "2", "k").await;
    put(&store, "3", "").await;
    let first = node.next(SOON).await.expect("a delivery");
    assert_eq!((&*first.id, &*first.key, &first.event[..], first.partition), ("1", "k", &b"{\"data\":\"1\"}"[..], 3));
    assert_eq!(node.next(SOON).await.map(|delivery| delivery.id), Some("3".into()));
    assert!(node.next(SOON).await.is_none());
    node.report(&first, Report::Done).await;
    assert_eq!(depth(&store).await, 2);
    let second = node.next(SOON).await.expect("a delivery");
    assert_eq!((&*second.id, second.ticket.attempt), ("2", 1));
    node.run(SOON).await;
    assert_eq!([OwnerCount::Delivered, OwnerCount::Acknowledged, OwnerCount::Redelivered].map(|what| node.counted(what)), [3, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_fails_becomes_a_dead_letter_with_its_reason() {
    let store = store();
    let mut node = Node::new(&store, "a", true);
    put(&store, "1", "k").await;
    put(&store, "2", "k").await;
    for attempt in 1..=3 {
        let delivery = node.next(LEASE).await.expect("a delivery");
        assert_eq!((&*delivery.id, delivery.ticket.attempt), ("1", attempt));
        node.report(&delivery, Report::Failed { temporary: true, retry_after: None, detail: "busy".into() }).await;
        assert_eq!(node.handles.stats.blocked_keys(), u64::from(attempt < 3));
    }
    let second = node.next(SOON).await.expect("a delivery");
    node.report(&second, Report::Failed { temporary: false, retry_after: None, detail: "unknown user".into() }).await;
    let limits = gateway_core::queue::ReadLimits { entries: 10, bytes: 1000, entry_bytes: 1000 };
    let dead = store.dead_letters(&partition(), None, limits).await.expect("dead letters");
    let dead: Vec<_> = dead.iter().map(|letter| (letter.reason, &*letter.detail, letter.tries)).collect();
    assert_eq!(dead, [(Some(DeadReason::Tries), "busy", 3), (Some(DeadReason::Refused), "unknown user", 1)]);
    assert_eq!([DeadReason::Tries, DeadReason::Refused].map(|reason| node.handles.stats.dead_lettered(reason)), [1, 1]);
    assert_eq!(depth(&store).await, 0);
}

// NL-8.6
#[tokio::test(start_paused = true)]
async fn another_node_takes_over_what_a_dead_one_had() {
    let store = store();
    let mut dead = Node::new(&store, "a", true);
    for id in ["1", "2", "3"] {
        put(&store, id, "k").await;
    }
    let first = dead.next(SOON).await.expect("a delivery");
    dead.report(&first, Report::Done).await;
    assert_eq!(dead.next(SOON).await.map(|delivery| delivery.id), Some("2".into()));
    drop(dead);
    let died = Instant::now();
    let mut next = Node::new(&store, "b", true);
    let again = next.next(LEASE * 2).await.expect("a delivery");
    assert_eq!((&*again.id, again.ticket.attempt), ("2", 1), "a takeover is no try");
    assert!(died.elapsed() <= LEASE + LEASE / 4, "{:?}", died.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_not_preferred_waits_for_a_whole_lease_and_hands_over() {
    let store = store();
    put(&store, "1", "k").await;
    let mut second = Node::new(&store, "b", false);
    assert!(second.next(LEASE.saturating_sub(SOON)).await.is_none());
    let delivery = second.next(LEASE).await.expect("a delivery");
    let mut first = Node::new(&store, "a", true);
    tokio::join!(first.run(LEASE.saturating_sub(SOON * 2)), second.run(LEASE.saturating_sub(SOON * 2)));
    assert!(second.handles.stats.owned() && second.handles.guard.allows(delivery.ticket));
    tokio::join!(first.run(SOON * 4), second.run(SOON * 4));
    assert!(second.handles.stats.owned() && !second.handles.guard.allows(delivery.ticket), "it waits for the report");
    second.report(&delivery, Report::Done).await;
    second.run(SOON).await;
    assert!(!second.handles.stats.owned());
    assert_eq!(depth(&store).await, 0);
    put(&store, "2", "k").await;
    assert_eq!(first.next(LEASE).await.map(|delivery| delivery.id), Some("2".into()));
    let _ = second.preferred.send(true);
}

// NL-8.5
#[tokio::test(start_paused = true)]
async fn a_node_that_was_frozen_for_longer_than_its_lease_delivers_nothing() {
    let store = store();
    let mut frozen = Node::new(&store, "a", true);
    for number in 0..10 {
        put(&store, &number.to_string(), "").await;
    }
    frozen.run(SOON).await;
    sleep(LEASE + SOON).await;
    let mut next = Node::new(&store, "b", true);
    let mut delivered = Vec::new();
    while let Some(delivery) = next.next(SOON).await {
        delivered.push(delivery.id.clone());
        next.report(&delivery, Report::Done).await;
    }
    assert_eq!(delivered, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"].map(Box::from));
    let left = frozen.handles.deliveries.recv().await.expect("it had deliveries");
    assert!(!frozen.handles.guard.allows(left.ticket));
    assert!(frozen.next(SOON).await.is_none());
    assert_eq!(frozen.counted(OwnerCount::Ousted), 1);
    let ticket = left.ticket;
    frozen.handles.reports.send((ticket, Report::Done)).await.expect("taken");
    frozen.run(SOON).await;
    assert_eq!(frozen.counted(OwnerCount::Acknowledged), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_waits_for_reports_and_frees_the_partition() {
    let store = store();
    let mut node = Node::new(&store, "a", true);
    put(&store, "1", "").await;
    put(&store, "2", "").await;
    let (one, _) = (node.next(SOON).await.expect("a delivery"), node.next(SOON).await.expect("a delivery"));
    node.stop.cancel();
    node.run(SOON).await;
    node.handles.reports.send((one.ticket, Report::Done)).await.expect("it still waits");
    let begun = Instant::now();
    (&mut node.task).await;
    assert!(begun.elapsed() <= Duration::from_secs(5));
    let status = store.status(&partition()).await.expect("a status");
    assert_eq!((status.depth, status.owner), (1, None));
}

#[tokio::test(start_paused = true)]
async fn a_pause_and_a_purge_take_effect() {
    let store = store();
    let mut node = Node::new(&store, "a", true);
    node.run(SOON).await;
    store.set_paused(&partition(), true).await.expect("paused");
    node.run(LEASE).await;
    put(&store, "1", "").await;
    assert!(node.next(LEASE).await.is_none());
    store.set_paused(&partition(), false).await.expect("goes on");
    assert!(node.next(LEASE).await.is_some());
    assert_eq!(store.purge(&partition(), 1).await, Ok(1));
    put(&store, "2", "").await;
    assert_eq!(node.next(LEASE).await.map(|delivery| delivery.id), Some("2".into()));
    assert_eq!(node.counted(OwnerCount::Ousted), 1);
}

#[tokio::test(start_paused = true)]
async fn many_entries_are_worked_off_in_order() {
    const ENTRIES: usize = 20_000;
    let store = store();
    for number in 0..ENTRIES {
        put(&store, &number.to_string(), &format!("k{}", number % 50)).await;
    }
    let mut node = Node::new(&store, "a", true);
    let mut last = [0_usize; 50];
    for count in 0..ENTRIES {
        let delivery = node.next(SOON).await.unwrap_or_else(|| panic!("{count} of {ENTRIES}"));
        let number: usize = delivery.id.parse().expect("a number");
        assert!(last[number % 50] <= number, "{number} behind {}", last[number % 50]);
        last[number % 50] = number;
        node.handles.reports.send((delivery.ticket, Report::Done)).await.expect("it runs");
    }
    node.run(SOON).await;
    assert_eq!(depth(&store).await, 0);
}
