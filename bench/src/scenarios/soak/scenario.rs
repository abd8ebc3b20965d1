//! Cycles of the same load, each with a pause at its end in which the gateway has nothing to do. The pauses are compared.

use super::{
    bed::Bed,
    strangers,
    usage::{Usage, growth},
    visitors::{self, Visits},
};
use crate::{result::Result, scenarios::calls::service, server::Binaries};
use std::{rc::Rc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// One cycle, and the part of it with load.
const CYCLE: Duration = Duration::from_secs(20);
const LOAD: Duration = Duration::from_secs(12);
/// Memory may grow by this factor.
const MOST_GROWTH: f64 = 1.01;
/// Longest wait at the end until everything has returned. Threads of the runtime that had nothing to do end after ten seconds.
const RETURN_TIMEOUT: Duration = Duration::from_secs(90);
/// Addresses of clients in a minute: a million in half an hour, rounded up.
const ADDRESSES_PER_MINUTE: u32 = 33_334;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Length of the run
    #[arg(long, default_value_t = 30)]
    minutes: u32,
    /// Honest clients in each cycle
    #[arg(long, default_value_t = 500)]
    visitors: usize,
    /// How often the certificate and the key of the issuer change
    #[arg(long, default_value_t = 20)]
    changes: u32,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let (bed, visits) = (Bed::start(binaries).await?, Rc::new(Visits::default()));
    let before = Usage::of(&bed.server).await?;
    println!("before: {before}");
    let cycles = (arguments.minutes * 60 / CYCLE.as_secs() as u32).max(1);
    let all_addresses = ADDRESSES_PER_MINUTE * arguments.minutes;
    let (begun, mut resident) = (Instant::now(), Vec::new());
    for cycle in 1..=cycles {
        let changes = u64::from(arguments.changes * cycle / cycles);
        while bed.changes.get() < changes {
            bed.change().await?;
        }
        // What earlier cycles did not manage comes now.
        let due = all_addresses / cycles * cycle;
        load(&bed, &visits, arguments.visitors, due.saturating_sub(bed.clients.get())).await?;
        sleep_until(begun + CYCLE * cycle).await;
        wait_for_connections(&bed, before).await?;
        let usage = Usage::of(&bed.server).await?;
        resident.push(usage.resident_kib);
        println!(
            "{:>6.1} min: {usage}; {} addresses, {} visits",
            begun.elapsed().as_secs_f64() / 60.0,
            bed.clients.get(),
            visits.done.get()
        );
        if let Some(fault) = visits.fault.take() {
            return Err(fault.into());
        }
    }
    let after = wait_until_returned(&bed, before).await?;
    println!(
        "{} addresses, {} visits, {} messages received, {} changes of certificate and key",
        bed.clients.get(),
        visits.done.get(),
        visits.received.get(),
        bed.changes.get()
    );
    println!("after:  {after}");
    judge(before, after, &resident, bed.clients.get() < all_addresses / cycles * cycles)
}

/// The load of one cycle.
async fn load(bed: &Rc<Bed>, visits: &Rc<Visits>, count: usize, addresses: u32) -> Result {
    let end = Instant::now() + LOAD;
    let _bot = service::Running::link(&bed.server, "chatbot", service::echo(128)).await?;
    let strangers = addresses.saturating_sub(count as u32);
    visitors::invite(bed, visits, count, end);
    strangers::let_in(bed, strangers, end);
    visitors::publish(bed, visits, end).await;
    sleep_until(end).await;
    Ok(())
}

/// Waits until the connections of the cycle have ended.
async fn wait_for_connections(bed: &Bed, before: Usage) -> Result {
    let until = Instant::now() + RETURN_TIMEOUT;
    while bed.server.count("switchboard_connections_open").await? > before.kept.connections {
        if Instant::now() > until {
            return Err("connections of the cycle do not end".into());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Waits until everything has returned, at most [`RETURN_TIMEOUT`].
async fn wait_until_returned(bed: &Bed, before: Usage) -> Result<Usage> {
    let until = Instant::now() + RETURN_TIMEOUT;
    loop {
        let usage = Usage::of(&bed.server).await?;
        if usage.kept == before.kept || Instant::now() > until {
            return Ok(usage);
        }
        sleep(Duration::from_secs(1)).await;
    }
}

fn judge(before: Usage, after: Usage, resident: &[u64], is_short: bool) -> Result {
    let mut faults = Vec::new();
    if after.kept != before.kept {
        faults.push(format!("not everything returned: {before} before, {after} after"));
    }
    match growth(resident) {
        None => println!("memory: too few cycles to tell; run for three minutes at least"),
        Some((early, late)) => {
            println!("memory: {early:.0} KiB after the first third, {late:.0} KiB at the end: {:.4} times as much", late / early);
            if late > early * MOST_GROWTH {
                faults.push(format!("memory grew to {:.4} times what it was", late / early));
            }
        }
    }
    if is_short {
        faults.push("the generator was too slow for all addresses".to_owned());
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ").into()) }
}
