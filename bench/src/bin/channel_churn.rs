//! Shows that a node's memory stays bounded while channels come and go: 2,000,000 of them, 10,000 alive at a time, each subscribed,
//! published to with history, unsubscribed and left to expire. Prints resident memory at 100,000 and at the end; exits with 1 if the
//! end is more than 1.2 times as much.

use gateway::broker::{Mailbox, MemoryBroker, MemoryLimits, NewPublication, Post};
use gateway_core::model::{ChannelName, Data, Retention, Tags, WorkerId};
use std::{
    error::Error,
    process::ExitCode,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// The gateway's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CHANNELS: usize = 2_000_000;
const WARM: usize = 100_000;
const ALIVE: usize = 10_000;
/// Channels that come between two looks at how many are alive.
const STEP: usize = 100;
const ALLOWED: f64 = 1.2;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mailbox = Arc::new(Mailbox::new(4 * STEP, 1 << 20));
    let broker = Arc::new(MemoryBroker::new(vec![Arc::clone(&mailbox)], MemoryLimits::default()));
    let stop = CancellationToken::new();
    let sweeper = tokio::spawn({
        let (broker, stop) = (Arc::clone(&broker), stop.clone());
        async move { broker.run(stop).await }
    });
    let mut posts = Vec::new();
    let mut warm = 0;
    for come in (0..CHANNELS).step_by(STEP) {
        if come == WARM {
            warm = report(come, &broker)?;
        }
        while broker.stats().channels + STEP > ALIVE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        come_and_go(&broker, come..come + STEP).await?;
        drain(&mailbox, &mut posts);
    }
    let end = report(CHANNELS, &broker)?;
    stop.cancel();
    sweeper.await?;
    let ratio = end as f64 / warm as f64;
    println!("ratio {ratio:.3}, allowed {ALLOWED}");
    Ok(if ratio <= ALLOWED { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn come_and_go(broker: &MemoryBroker, numbers: std::ops::Range<usize>) -> Result<(), Box<dyn Error>> {
    let worker = WorkerId::new(0).ok_or("there is a first worker")?;
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
    // Ends in another order than they came, as in life.
    let ttl = Duration::from_millis(100 + (number * 7919 % 900) as u64);
    let retention = Some(Retention { size: 10, ttl });
    let publication = NewPublication { data, tags: Tags::new(), info: None, traceparent: None, retention, idempotency: None };
    broker.publish(channel, publication).await?;
    Ok(())
}

fn drain(mailbox: &Mailbox, posts: &mut Vec<Post>) {
    let _ = mailbox.poll_take(&mut Context::from_waker(Waker::noop()), posts);
    posts.clear();
}

/// Prints where the run stands; returns resident memory in KiB.
fn report(come: usize, broker: &MemoryBroker) -> Result<u64, Box<dyn Error>> {
    let process = std::fs::read_to_string("/proc/self/status")?;
    let resident = process.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kib = resident.trim().trim_end_matches(" kB").parse()?;
    let stats = broker.stats();
    println!("{come:>9} channels came, {} alive, {} idle remembered: {kib} KiB resident", stats.channels, stats.idle_channels);
    Ok(kib)
}
