//! Searches for a failing seed.

use super::case::Case;
use crate::{
    broker::simulated::Flaw,
    simulation::{
        plan::Plan,
        run::{Record, attempt},
        situations::Tally,
    },
};
use gateway_core::model::lock;
use std::{
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Number of concurrent runs.
const THREADS: usize = 2;

/// A failing seed.
pub(super) struct Failure {
    pub(super) seed: u64,
    pub(super) message: String,
    pub(super) plan: Plan,
}

/// Runs the plans of these seeds and returns which situations they reached. The error is the report of a seed that fails.
pub fn try_seeds(seeds: Range<u64>) -> Result<Tally, String> {
    let (tally, failure) = search(seeds, None);
    let Some(Failure { seed, message, plan }) = failure else { return Ok(tally) };
    let case = Case::shrunk(plan, None);
    Err(format!("seed {seed}: {message}\n{}", case.report(&format!("seed-{seed}"))))
}

/// Runs the plans of these seeds until one fails.
pub(super) fn search(seeds: Range<u64>, flaw: Option<Flaw>) -> (Tally, Option<Failure>) {
    let next = AtomicU64::new(seeds.start);
    let (found, tally) = (Mutex::new(None), Mutex::new(Tally::default()));
    let work = || {
        while let seed = next.fetch_add(1, Relaxed)
            && seed < seeds.end
        {
            let (plan, mut record) = (Plan::of(seed), Record::default());
            if let Err(message) = attempt(&plan, flaw, &mut record) {
                next.store(seeds.end, Relaxed);
                lock(&found).get_or_insert(Failure { seed, message, plan });
            }
            lock(&tally).add(record.reached);
        }
    };
    std::thread::scope(|scope| {
        (0..THREADS).for_each(|_| drop(scope.spawn(work)));
    });
    (tally.into_inner().unwrap_or_else(PoisonError::into_inner), found.into_inner().unwrap_or_else(PoisonError::into_inner))
}
