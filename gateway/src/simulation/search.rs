//! Seeds are tried, and what fails is made shorter.

use super::{plan::Plan, world};
use crate::broker::simulated::Flaw;
use gateway_core::model::lock;
use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Runs at a time.
const THREADS: usize = 2;

/// Runs the plans of these seeds. An error tells which one breaks a promise, and in which few steps.
pub fn try_seeds(seeds: Range<u64>) -> Result<(), String> {
    search(seeds, None).map_or(Ok(()), |failure| Err(failure.report(None)))
}

/// Finds each flaw of the model among these seeds, and answers a line about each. An error tells which one is not found, or not made shorter.
pub fn find_flaws(seeds: Range<u64>) -> Result<Vec<String>, String> {
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
    let find = |flaw| {
        let Failure { seed, what, plan } = search(seeds.clone(), Some(flaw)).ok_or_else(|| format!("{flaw:?} is not found"))?;
        let steps = plan.steps.len();
        let shorter = shrink(plan, Some(flaw)).steps.len();
        let line = format!("{flaw:?}: seed {seed}, {shorter} of {steps} steps: {what}");
        if shorter < steps { Ok(line) } else { Err(line) }
    };
    all.into_iter().map(find).collect()
}

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
fn search(seeds: Range<u64>, flaw: Option<Flaw>) -> Option<Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_holds_on_some_seeds() {
        if let Err(report) = try_seeds(0..500) {
            panic!("{report}");
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
}
