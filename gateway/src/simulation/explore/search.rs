//! Searches for a failing seed.

use super::{
    case::Case,
    subject::{Plan, Record, Subject},
    tally::Tally,
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
pub(super) struct Failure<S: Subject> {
    pub(super) seed: u64,
    pub(super) message: String,
    pub(super) plan: Plan<S>,
}

/// Runs the plans of these seeds and returns which situations they reached. The error is the report of a seed that fails.
pub(in crate::simulation) fn try_seeds<S: Subject>(seeds: Range<u64>) -> Result<Tally, String> {
    let (tally, failure) = search::<S>(seeds, None);
    let Some(Failure { seed, message, plan }) = failure else { return Ok(tally) };
    let case = Case::shrunk(plan, None);
    Err(format!("seed {seed}: {message}\n{}", case.report(&format!("seed-{seed}"))))
}

/// Runs the plans of these seeds until one fails.
pub(super) fn search<S: Subject>(seeds: Range<u64>, flaw: Option<S::Flaw>) -> (Tally, Option<Failure<S>>) {
    let situations = S::situations();
    let next = AtomicU64::new(seeds.start);
    let (found, tally) = (Mutex::new(None), Mutex::new(Tally::new(&situations)));
    let work = || {
        while let seed = next.fetch_add(1, Relaxed)
            && seed < seeds.end
        {
            let (plan, mut record) = (S::plan(seed), Record::default());
            if let Err(message) = S::attempt(&plan, flaw, &mut record) {
                next.store(seeds.end, Relaxed);
                lock(&found).get_or_insert(Failure { seed, message, plan });
            }
            lock(&tally).add(&S::situations(), &record.reached);
        }
    };
    std::thread::scope(|scope| {
        (0..THREADS).for_each(|_| drop(scope.spawn(work)));
    });
    (tally.into_inner().unwrap_or_else(PoisonError::into_inner), found.into_inner().unwrap_or_else(PoisonError::into_inner))
}
