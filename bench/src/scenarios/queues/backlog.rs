//! Many waiting entries, written straight into the streams: memory of the gateway while it delivers them, and how fast it does.

use super::{
    consumer::{Order, Reach, SERVICE, Served, accept},
    store::{self, Pipeline},
};
use crate::{
    redis::{HZ, Redis},
    result::Result,
    server::Binaries,
};
use gateway_core::queue::partition_of;
use std::{cell::RefCell, rc::Rc, time::Duration};
use tokio::time::{Instant, sleep};

/// Entries in one pipeline.
const PIPELINE: usize = 1000;
/// Bytes of padding in the data of an event.
const PADDING: usize = 100;
/// Partitions of the queue: the default of the setting.
const PARTITIONS: u16 = 4;
/// Pause between two looks at the length of the streams.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest time without a delivery.
const STALLED: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Entries that wait, in each of the measurements
    #[arg(long, value_delimiter = ',', default_value = "10000,1000000")]
    entries: Vec<usize>,
    /// Keys of the entries
    #[arg(long, default_value_t = 1000)]
    keys: usize,
    /// How the gateway reaches the service
    #[arg(long, value_enum, value_delimiter = ',', default_value = "link,webhook")]
    reach: Vec<Reach>,
}

pub(crate) async fn run(binaries: &Binaries, redis_cpu: Option<usize>, arguments: &Arguments) -> Result {
    println!("           entries  Redis MiB  gateway resident MiB at the start, peak, end  seconds  entries/s  us CPU of the gateway");
    for reach in &arguments.reach {
        for entries in &arguments.entries {
            measure(binaries, redis_cpu, *reach, *entries, arguments.keys).await?;
        }
    }
    Ok(())
}

async fn measure(binaries: &Binaries, redis_cpu: Option<usize>, reach: Reach, entries: usize, keys: usize) -> Result {
    let redis = Redis::start(redis_cpu, HZ).await;
    let mut pipeline = Pipeline::open(&redis).await;
    fill(&mut pipeline, entries, keys).await?;
    let used = redis.used_memory().await?;
    let (url, order) = (redis.url(), Rc::new(RefCell::new(Order::default())));
    let settings = [("WORKERS", "1"), ("BROKER__KIND", "redis"), ("REDIS__URL", &url)];
    let begun = Instant::now();
    let Served { server, .. } = &Served::start(binaries, reach, &settings, accept(&order)).await?;
    let resident = server.resident_kib()?;
    let streams: Vec<_> = (0..PARTITIONS).map(|partition| store::entries(SERVICE, partition)).collect();
    let (mut last, mut changed, mut first) = (0, Instant::now(), None);
    while pipeline.length(&streams).await? > 0 {
        let count = order.borrow().count;
        if count > last {
            (last, changed) = (count, Instant::now());
            first.get_or_insert((Instant::now(), count, server.cpu_seconds()?));
        }
        if changed.elapsed() > STALLED {
            return Err(format!("{last} of {entries} entries were delivered, then none for {STALLED:?}").into());
        }
        sleep(PAUSE).await;
    }
    let (first, before, cpu) = first.unwrap_or((begun, 0, 0.0));
    let (seconds, cpu, delivered) = (first.elapsed().as_secs_f64(), server.cpu_seconds()? - cpu, (entries - before) as f64);
    let mib = |kib: u64| kib as f64 / 1024.0;
    println!(
        "{:<8} {entries:>9} {:>10.1} {:>36.1} {:>5.1} {:>4.1} {seconds:>9.1} {:>10.0} {:>22.1}",
        format!("{reach:?}").to_lowercase(),
        used as f64 / f64::from(1 << 20),
        mib(resident),
        mib(server.peak_resident_kib()?),
        mib(server.resident_kib()?),
        delivered / seconds,
        cpu * 1e6 / delivered,
    );
    check(&order.borrow(), entries)
}

fn check(order: &Order, entries: usize) -> Result {
    if let Some(wrong) = &order.wrong {
        return Err(format!("an event came out of order or twice: {wrong}").into());
    }
    if order.count != entries {
        return Err(format!("{} events were delivered, not {entries}", order.count).into());
    }
    Ok(())
}

/// Writes events into the streams as the gateway does.
async fn fill(pipeline: &mut Pipeline, entries: usize, keys: usize) -> Result {
    let padding = "x".repeat(PADDING);
    for first in (0..entries).step_by(PIPELINE) {
        for number in first..entries.min(first + PIPELINE) {
            let (id, key) = (format!("msg_{number:032x}"), format!("key-{}", number % keys));
            let data = format!(r#"{{"n":{},"padding":"{padding}"}}"#, number + 1);
            let event = format!(r#"{{"id":"{id}","kind":"message","data":{data},"user":"","connection":""}}"#);
            let stream = store::entries(SERVICE, partition_of(&key, PARTITIONS));
            pipeline.add(&["XADD", &stream, "*", "id", &id, "key", &key, "event", &event]);
        }
        pipeline.run().await?;
    }
    Ok(())
}
