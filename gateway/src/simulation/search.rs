//! Searches for a failing seed, and shortens its plan.

use super::{plan::Plan, run::attempt};
use crate::broker::simulated::Flaw;
use gateway_core::model::lock;
use std::{
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Concurrent runs.
const THREADS: usize = 2;

/// A failing seed.
pub(super) struct Failure {
    pub(super) seed: u64,
    pub(super) message: String,
    pub(super) plan: Plan,
}

/// Runs the plans of these seeds. The error is the report of one that fails.
pub fn try_seeds(seeds: Range<u64>) -> Result<(), String> {
    search(seeds, None).map_or(Ok(()), |failure| Err(failure.report(None)))
}

/// Returns a seed that fails, if any does.
pub(super) fn search(seeds: Range<u64>, flaw: Option<Flaw>) -> Option<Failure> {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(None);
    let work = || {
        while let seed = next.fetch_add(1, Relaxed)
            && seed < seeds.end
        {
            let plan = Plan::of(seed);
            if let Err(message) = attempt(&plan, flaw, None) {
                next.store(seeds.end, Relaxed);
                lock(&found).get_or_insert(Failure { seed, message, plan });
            }
        }
    };
    std::thread::scope(|scope| {
        (0..THREADS).for_each(|_| drop(scope.spawn(work)));
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Shortens a failing plan.
pub(super) fn shrink(mut plan: Plan, flaw: Option<Flaw>) -> Plan {
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
    /// The report for the developer.
    pub(super) fn report(self, flaw: Option<Flaw>) -> String {
        let Self { seed, message, plan } = self;
        let shorter = shrink(plan, flaw);
        let mut log = Vec::new();
        let end = attempt(&shorter, flaw, Some(&mut log)).err().unwrap_or_default();
        format!("seed {seed}: {message}\nshortened, {:?}:\n  {}\n  => {end}", shorter.shape, log.join("\n  "))
    }
}
