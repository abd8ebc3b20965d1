//! A deterministic simulation of what keeps publications from being lost.
//!
//! Real: sessions, connections (without their sockets), hubs with their feeds, slots and outboxes, mailboxes, the subscriptions of a node and their roster,
//! audits, the queues of command lanes, the codec. Simulated: the Redis server and the connections to it, so that each command, answer, confirmation
//! and announcement is a step of its own, which may come late or never. Time stands still but for steps that let it pass.
//!
//! A *plan* is a shape (how many nodes, how small their buffers) and a list of steps, both made from a seed. Steps know nothing of the state: one that finds nothing
//! to do does nothing; so a plan can be made shorter while it still fails. After the last step everything is mended ([`calm`]), and all has to come to rest.
//!
//! What is checked, at every step (docs/redis.md promises it):
//!
//! - a client gets the publications of one timeline, each once, in order and without a gap, from the position that it was told;
//! - a recovery says that nothing is missing only where that is so, and that something is only where it may be; what is held comes all the same;
//! - no position is told that the store never had;
//! - an acknowledged publication stands where its answer said; one that was refused is stored nowhere, not even later; none is stored twice;
//! - publishes of one node into one channel are stored in the order in which they came.
//!
//! And at rest: every client has all that the store holds, nobody waits for anything, without any audit; when all have gone, nothing is left of them.
//!
//! `SIMULATION_RUNS` sets how many seeds are tried, `SIMULATION_SEED` where they begin: with one run it is that seed again, told step by step.
//!
//! # That it finds something
//!
//! Each [`Flaw`] of the model is found within the seeds that are tried by default, which a test proves. So is each of these changes to the real code, made by hand:
//!
//! - feed: the epoch is not compared for what is next, for a top that was seen, or for a page; a page need not continue the position; a top that was seen
//!   during a read or a rest is forgotten; the first attach begins no read that is due; a page counts that an earlier life of the channel asked for;
//! - roster: what a broken connection interrupted is not checked;
//! - attach: live with another epoch than the feed's, behind the top that was read, with an attach buffer that overflowed, as if nothing had been
//!   handed over before, or without catching up; a page while catching up is of another epoch, or does not continue the cursor;
//! - recovery: a position behind a fork counts as valid, also where a worker answers from memory; trimming is not told, what is held is left out;
//! - forks and losses: subscribers are not told, neither live ones nor those that catch up;
//! - mailbox: a full share drops without a mark; members: an index is not moved along;
//! - lane: unanswered commands go behind newer ones, or count as surely not carried out.
//!
//! What it does not reach: a Redis Cluster of several masters, presence, channels without history, the policy `latest`.

mod calm;
mod client;
mod engine;
mod node;
mod plan;
mod publisher;
mod world;

use crate::broker::simulated::Flaw;
use gateway_core::model::lock;
use plan::Plan;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Seeds that are tried.
const RUNS: u64 = 3000;
/// Runs at a time.
const THREADS: usize = 2;

/// What a failing seed comes down to.
struct Failure {
    seed: u64,
    what: String,
    plan: Plan,
}

/// Runs a plan; a panic is a failure like any other.
fn attempt(plan: &Plan, flaw: Option<Flaw>, log: Option<&mut Vec<String>>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| world::run(plan, flaw, log))).unwrap_or_else(|_| Err("it panicked".into()))
}

/// A seed that fails, if any does.
fn search(seeds: std::ops::Range<u64>, flaw: Option<Flaw>) -> Option<Failure> {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(None);
    let hunt = || {
        while let seed = next.fetch_add(1, Relaxed)
            && seed < seeds.end
        {
            let plan = Plan::of(seed);
            if let Err(what) = attempt(&plan, flaw, None) {
                next.store(seeds.end, Relaxed);
                lock(&found).get_or_insert(Failure { seed, what, plan });
            }
        }
    };
    std::thread::scope(|scope| {
        (0..THREADS).for_each(|_| drop(scope.spawn(hunt)));
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The same failure in fewer steps.
fn shrink(mut plan: Plan, flaw: Option<Flaw>) -> Plan {
    let mut chunk = plan.steps.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at < plan.steps.len() {
            let mut shorter = plan.clone();
            shorter.steps.drain(at..(at + chunk).min(plan.steps.len()));
            if attempt(&shorter, flaw, None).is_err() {
                plan = shorter;
            } else {
                at += chunk;
            }
        }
        chunk /= 2;
    }
    plan
}

impl Failure {
    /// For who has to find the cause.
    fn report(self, flaw: Option<Flaw>) -> String {
        let Self { seed, what, plan } = self;
        let shorter = shrink(plan, flaw);
        let mut log = Vec::new();
        let end = attempt(&shorter, flaw, Some(&mut log)).err().unwrap_or_default();
        format!("seed {seed}: {what}\nshortened, {:?}:\n  {}\n  => {end}", shorter.shape, log.join("\n  "))
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn what_is_promised_holds_on_every_seed() {
    let (first, runs) = (setting("SIMULATION_SEED").unwrap_or(0), setting("SIMULATION_RUNS").unwrap_or(RUNS));
    if let Some(failure) = search(first..first + runs, None) {
        panic!("{}", failure.report(None));
    }
}

#[test]
fn a_seed_takes_the_same_way_again() {
    for seed in 0..20 {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let ends = (attempt(&Plan::of(seed), None, Some(&mut first)), attempt(&Plan::of(seed), None, Some(&mut second)));
        assert_eq!(ends.0, ends.1, "seed {seed}");
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn every_flaw_is_found_and_shortened() {
    let all = [
        Flaw::AnnouncesFirst,
        Flaw::OneEpoch,
        Flaw::ForksLate,
        Flaw::ForgetsAnswers,
        Flaw::AcceptsLate,
        Flaw::StoresOvertaken,
        Flaw::ConfirmsEarly,
        Flaw::LosesAnnouncements,
        Flaw::UncheckedResume,
    ];
    let runs = setting("SIMULATION_RUNS").unwrap_or(RUNS);
    for flaw in all {
        let began = std::time::Instant::now();
        let failure = search(0..runs, Some(flaw)).unwrap_or_else(|| panic!("{flaw:?} is not found"));
        let (seed, steps, took) = (failure.seed, failure.plan.steps.len(), began.elapsed());
        let shorter = shrink(failure.plan, Some(flaw));
        println!("{flaw:?}: seed {seed}, after {took:?}, {} of {steps} steps: {}", shorter.steps.len(), failure.what);
        assert!(shorter.steps.len() < steps, "{flaw:?}");
    }
}
