//! Measures how long it takes to work off a queue in memory, and how much memory its owner needs for that.
//! `cargo run --release --package bench --bin work_off -- --entries 1000000 --keys 1000`

use clap::Parser;
use gateway::queues::{MemoryLimits, MemoryQueues, OwnerConfig, PartitionHandles, QueueStore as _, own};
use gateway_core::queue::{
    NewEntry, PartitionId, QueueName,
    owner::{OwnerLimits, Report},
};
use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Fills a partition in memory, and works it off with a consumer that acknowledges at once.
#[derive(Parser)]
struct Options {
    /// Number of entries
    #[arg(long, default_value_t = 1_000_000)]
    entries: u64,
    /// Number of keys; 0: entries have none
    #[arg(long, default_value_t = 1000)]
    keys: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Options { entries, keys } = Options::parse();
    let limits = MemoryLimits { lease: Duration::from_secs(10), max_length: usize::MAX, max_dead: 10, memory_bytes: usize::MAX };
    let store = Arc::new(MemoryQueues::new(limits));
    let partition = PartitionId { queue: QueueName::Service("measured".parse().expect("a valid name")), partition: 0 };
    let begun = Instant::now();
    for number in 0..entries {
        let key = number.checked_rem(keys).map(|key| format!("user-{key}")).unwrap_or_default().into();
        let event = format!("{{\"kind\":\"message\",\"data\":{{\"number\":{number},\"text\":\"{}\"}}}}", "x".repeat(100)).into();
        let entry = NewEntry { id: format!("msg_{number:032x}").into(), key, event, expires_after: None, once: None };
        store.hand_over(&partition, entry).await.expect("handed over").await.expect("stored");
    }
    println!("stored {entries} entries in {:?}; memory of the process: {}", begun.elapsed(), memory("VmRSS"));
    let config = OwnerConfig {
        node: "measured".into(),
        limits: OwnerLimits {
            tries: 10,
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(300),
            visibility: Duration::from_secs(30),
            window: 1000,
            window_bytes: 16 << 20,
            blocked_ids: 100_000,
            entry_bytes: 1 << 20,
        },
    };
    let (_preferred, preferred) = watch::channel(true);
    let (handles, task) = own(store.clone(), partition.clone(), config, preferred, CancellationToken::new());
    let begun = Instant::now();
    tokio::select! {
        () = task => {}
        () = consume(handles, entries) => {}
    }
    let time = begun.elapsed();
    println!(
        "worked off in {time:?}, {:.0} entries/s; peak memory of the process: {}",
        entries as f64 / time.as_secs_f64(),
        memory("VmHWM")
    );
}

/// Acknowledges this number of deliveries.
async fn consume(mut handles: PartitionHandles, entries: u64) {
    for _ in 0..entries {
        let delivery = handles.deliveries.recv().await.expect("the owner runs");
        for report in [Report::Sent, Report::Done] {
            handles.reports.send((delivery.ticket, report)).await.expect("the owner runs");
        }
    }
}

fn memory(what: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    line.unwrap_or("unknown").trim().to_owned()
}
