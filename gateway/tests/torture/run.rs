//! One run: injects faults one after the other, and checks everything after each.

use crate::{
    checkpoint::Checkpoints,
    control::Control,
    counters::Counters,
    fault::{inject, kind::Fault},
    options::Options,
    queues,
    scope::Workload,
    store::Kind,
    tally::{self, Count, Row},
    workload::start_workload,
    world::{Scale, World},
};
use clap::ValueEnum as _;
use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// The plan of a run.
pub(crate) struct Plan {
    seed: u64,
    scale: Scale,
    store: Kind,
    faults: Vec<Fault>,
    /// The length of the run. `None`: each fault once, in this order.
    length: Option<Duration>,
    /// Time limit for the recovery after each fault.
    time_limit: Duration,
    logs: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
}

/// Pause between a checkpoint and the next fault.
const PAUSE_BETWEEN_FAULTS: Duration = Duration::from_millis(500);
/// Percentage of rounds with two faults at the same time.
const DOUBLE_FAULT_PERCENT: u32 = 25;
/// Percentage of rounds in which the publishers pause during the fault.
const PUBLISHER_PAUSE_PERCENT: u32 = 40;

impl Plan {
    pub(crate) fn long(options: &Options, seed: u64, store: Kind, length: Duration) -> Self {
        let Options { gateways, clients, rate, .. } = *options;
        let scale = Scale { gateways, clients, shares: options.shares.clone(), rate, workload: options.workload };
        let faults = options.faults_for(store, Fault::value_variants());
        Self { seed, scale, store, faults, length: Some(length), time_limit: Duration::from_secs(30), logs: options.logs.clone() }
    }

    pub(crate) fn short(options: &Options, seed: u64, store: Kind) -> Self {
        let scale = Scale {
            gateways: options.gateways,
            clients: options.clients.min(100),
            shares: options.shares.clone(),
            rate: options.rate.min(150),
            workload: options.workload,
        };
        let faults = options.faults_for(store, Fault::short(store));
        // The servers of the next store must not find the data of this one.
        let logs = options.logs.as_ref().map(|logs| logs.join(store.name()));
        Self { seed, scale, store, faults, length: None, time_limit: Duration::from_secs(20), logs }
    }

    /// A run without faults, for controls.
    pub(crate) fn without_faults(options: &Options, control: Control) -> Self {
        // Queues in the memory of each gateway would be no defect, and a program of a service could not read them.
        let workload = if control == Control::Forget { Workload::Queues } else { Workload::Publications };
        let scale = Scale { gateways: 2, clients: 100, shares: options.shares.clone(), rate: 300, workload };
        Self { seed: 0, scale, store: Kind::Standalone, faults: Vec::new(), length: None, time_limit: Duration::from_secs(2), logs: None }
    }

    /// Whether another round follows.
    fn has_next_round(&self, round: usize, elapsed: Duration) -> bool {
        match self.length {
            Some(length) => elapsed < length && !self.faults.is_empty(),
            None => round < self.faults.len(),
        }
    }

    /// The faults of a round. Each fault occurs once before any occurs again.
    fn round(&self, round: usize) -> (Vec<Fault>, StdRng) {
        let mut random = StdRng::seed_from_u64(self.seed.wrapping_mul(1_000_003).wrapping_add(round as u64));
        if self.length.is_none() {
            return (vec![self.faults[round]], random);
        }
        let turn = round / self.faults.len();
        let mut order = self.faults.clone();
        order.shuffle(&mut StdRng::seed_from_u64(self.seed.wrapping_add(turn as u64)));
        let mut faults = vec![order[round % order.len()]];
        if random.random_range(0..100) < DOUBLE_FAULT_PERCENT {
            faults.push(order[random.random_range(0..order.len())]);
        }
        (faults, random)
    }
}

pub(crate) async fn run(plan: Plan, control: Option<Control>) -> Verdict {
    let scratch = tempfile::tempdir().expect("a directory");
    let directory = plan.logs.clone().unwrap_or_else(|| scratch.path().into());
    std::fs::create_dir_all(&directory).expect("a directory");
    let Scale { gateways, clients, rate, workload, .. } = plan.scale;
    println!(
        "torture: seed {}, {:?}, {workload:?}, {gateways} gateways, {clients} subscribers, {rate} publications/s",
        plan.seed, plan.store
    );
    let world = World::start(&plan.scale, plan.store, control, &directory).await;
    let (mut checkpoints, mut counters) = (Checkpoints::default(), Counters::default());
    // As a load balancer does: before, the other nodes do not know a node, and refuse commands for its streams.
    checkpoints.await_ready(&world, Instant::now() + plan.time_limit).await;
    let consumers = world.queues.is_some().then(|| queues::consumers::start_consumers(&world));
    let (subscribers, mut publishers) = start_workload(&world, &plan.scale);
    sleep(Duration::from_secs(2)).await;
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut record = |name: String, row: Row| rows.entry(name).or_default().add(&row);
    checkpoints.check(&world, plan.time_limit, false).await;
    queues::checks::check(&world, plan.time_limit, false).await;
    record("(none)".into(), world.tally.take());
    let mut round = 0;
    while plan.has_next_round(round, world.tally.elapsed()) {
        let (faults, mut random) = plan.round(round);
        let name = if let [one] = faults[..] { one.name() } else { "(two at once)".into() };
        let names: Vec<_> = faults.iter().map(|fault| fault.name()).collect();
        let began = world.tally.elapsed();
        inject_all(&world, &faults, &mut random, plan.length.is_none()).await;
        let restored = world.tally.elapsed();
        checkpoints.check(&world, plan.time_limit, false).await;
        queues::checks::check(&world, plan.time_limit, false).await;
        world.publishers_paused.send_replace(false);
        counters.scrape(&world).await;
        let row = world.tally.take();
        println!(
            "{:7.1} s  {:<32} {:5.1} s, then {:4.1} s  {}",
            began.as_secs_f64(),
            names.join(" + "),
            restored.saturating_sub(began).as_secs_f64(),
            world.tally.elapsed().saturating_sub(restored).as_secs_f64(),
            if row.has_violations() { "VIOLATIONS" } else { "" }
        );
        print_cases(&world);
        record(name, row);
        sleep(PAUSE_BETWEEN_FAULTS).await;
        round += 1;
    }
    if plan.faults.is_empty() {
        sleep(Duration::from_secs(3)).await;
    }
    world.stop.cancel();
    let ended = async { while publishers.join_next().await.is_some() {} };
    let _ = timeout(plan.time_limit, ended).await;
    world.abort.cancel();
    checkpoints.check(&world, plan.time_limit, true).await;
    queues::checks::check(&world, plan.time_limit, true).await;
    counters.scrape(&world).await;
    for node in &world.nodes {
        for line in node.error_lines() {
            world.tally.violation(Count::Other, 1, || format!("{} logged {line}", node.name));
        }
    }
    record("(end)".into(), world.tally.take());
    drop((subscribers, consumers));
    print_results(&world, &rows, &counters, plan.seed)
}

async fn inject_all(world: &Arc<World>, faults: &[Fault], random: &mut StdRng, short: bool) {
    let pauses_publishers = random.random_range(0..100) < PUBLISHER_PAUSE_PERCENT;
    let after = Duration::from_millis(random.random_range(0..1000));
    let publishers_paused = async {
        if pauses_publishers {
            sleep(after).await;
            world.publishers_paused.send_replace(true);
        }
    };
    let seeds: Vec<u64> = faults.iter().map(|_| random.random()).collect();
    let strikes = faults.iter().zip(seeds).map(|(fault, seed)| async move {
        inject(*fault, world, &mut StdRng::seed_from_u64(seed), short).await;
    });
    tokio::join!(publishers_paused, join_all(strikes));
}

/// Prints the violations that were not printed yet.
fn print_cases(world: &World) {
    for case in world.tally.take_cases() {
        println!("  {case}");
    }
}

fn print_results(world: &World, rows: &BTreeMap<String, Row>, counters: &Counters, seed: u64) -> Verdict {
    let mut sum = Row::default();
    println!("\n{}", tally::head());
    for (name, row) in rows {
        println!("{name:<16} {row}");
        sum.add(row);
    }
    println!("{:<16} {sum}", "all");
    println!("the gateways counted: {:?}", counters.all());
    println!("connections of subscribers ended, by code: {:?}", world.ends());
    println!("requests with commands for streams, by status: {:?}", world.posts());
    println!("{}", world.activities);
    if world.queues.is_some() {
        println!("{}", queues::report::report(world));
    }
    print_cases(world);
    let idle = world.activities.idle();
    if !idle.is_empty() {
        println!("subscribers of these kinds got nothing: {idle:?}");
    }
    let verdict = if sum.has_violations() || !idle.is_empty() { Verdict::Bad } else { Verdict::Good };
    println!("seed {seed}: {verdict:?}");
    verdict
}
