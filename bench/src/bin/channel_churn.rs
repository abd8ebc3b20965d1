//! Shows that a node's memory stays bounded while channels are created and expire. The program creates 2,000,000 channels, of which 10,000
//! exist at a time. It subscribes each channel, publishes with a history, unsubscribes, and lets the channel expire. It prints resident
//! memory after 100,000 channels and at the end, and exits with 1 if the second figure is more than 1.2 times the first.

use gateway::broker::{Mailbox, MailboxEntry, MemoryBroker, MemoryLimits, NewPublication};
use gateway_core::model::{ChannelName, Data, Retention, Tags, WorkerId};
use std::{
    error::Error,
    process::ExitCode,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// The allocator of the gateway.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CHANNELS: usize = 2_000_000;
const FIRST_REPORT: usize = 100_000;
const MAX_EXISTING: usize = 10_000;
/// Channels that are created at a time.
const STEP: usize = 100;
const MAX_GROWTH: f64 = 1.2;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mailbox = Arc::new(Mailbox::new(4 * STEP, 1 << 20));
    let broker = Arc::new(MemoryBroker::new(vec![Arc::clone(&mailbox)], MemoryLimits::default()));
    let stop = CancellationToken::new();
    let sweeper = tokio::spawn({
        let (broker, stop) = (Arc::clone(&broker), stop.clone());
        async move { broker.run(stop).await }
    });
    let mut entries = Vec::new();
    let mut first = 0;
    for created in (0..CHANNELS).step_by(STEP) {
        if created == FIRST_REPORT {
            first = report(created, &broker)?;
        }
        while broker.stats().channels + STEP > MAX_EXISTING {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        use_channels(&broker, created..created + STEP).await?;
        drain(&mailbox, &mut entries);
    }
    let last = report(CHANNELS, &broker)?;
    stop.cancel();
    sweeper.await?;
    let ratio = last as f64 / first as f64;
    println!("ratio {ratio:.3}, allowed {MAX_GROWTH}");
    Ok(if ratio <= MAX_GROWTH { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn use_channels(broker: &MemoryBroker, numbers: std::ops::Range<usize>) -> Result<(), Box<dyn Error>> {
    let worker = WorkerId::new(0).ok_or("worker 0 is no valid worker id")?;
    let channels = numbers.clone().map(|number| format!("room:{number}").parse()).collect::<Result<Vec<ChannelName>, _>>()?;
    for channel in &channels {
        broker.subscribe(channel, worker, None).await?;
    }
    for (number, channel) in numbers.zip(&channels) {
        publish(broker, channel, number).await?;
    }
    for channel in &channels {
        broker.unsubscribe(channel, worker);
    }
    Ok(())
}

async fn publish(broker: &MemoryBroker, channel: &ChannelName, number: usize) -> Result<(), Box<dyn Error>> {
    let data = Data::parse(&serde_json::value::to_raw_value(&"x".repeat(64 + number % 128))?)?;
    // Channels expire in a different order from that of their creation.
    let ttl = Duration::from_millis(100 + (number * 7919 % 900) as u64);
    let retention = Some(Retention { size: 10, ttl });
    let publication = NewPublication { content: data.into(), tags: Tags::new(), info: None, traceparent: None, retention, identity: None };
    broker.publish(channel, publication).await?;
    Ok(())
}

fn drain(mailbox: &Mailbox, entries: &mut Vec<MailboxEntry>) {
    let _ = mailbox.poll_take(&mut Context::from_waker(Waker::noop()), entries);
    entries.clear();
}

/// Prints the progress. Returns resident memory in KiB.
fn report(created: usize, broker: &MemoryBroker) -> Result<u64, Box<dyn Error>> {
    let process = std::fs::read_to_string("/proc/self/status")?;
    let resident = process.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kib = resident.trim().trim_end_matches(" kB").parse()?;
    let stats = broker.stats();
    println!("{created:>9} channels created: {} in use, {} idle; {kib} KiB resident", stats.channels, stats.idle_channels);
    Ok(kib)
}
