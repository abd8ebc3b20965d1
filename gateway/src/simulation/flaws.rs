//! Proves that the simulation finds faults: each flaw of the simulated server has to be found.

use super::search::{Failure, search, shrink};
use crate::broker::simulated::Flaw;
use std::ops::Range;

/// Finds each flaw with one of these seeds, and answers a line about each. The error names the flaw that is not found, or whose plan cannot be shortened.
pub fn find_flaws(seeds: Range<u64>) -> Result<Vec<String>, String> {
    let all = [
        Flaw::DeliversBeforeStoring,
        Flaw::OneEpoch,
        Flaw::ForksLate,
        Flaw::ForgetsAnswers,
        Flaw::AcceptsLate,
        Flaw::StoresOutOfOrder,
        Flaw::ConfirmsEarly,
        Flaw::LosesMessages,
        Flaw::UncheckedResume,
    ];
    all.into_iter().map(|flaw| find(flaw, seeds.clone())).collect()
}

fn find(flaw: Flaw, seeds: Range<u64>) -> Result<String, String> {
    let Failure { seed, message, plan } = search(seeds, Some(flaw)).ok_or_else(|| format!("{flaw:?} is not found"))?;
    let steps = plan.steps.len();
    let shorter = shrink(plan, Some(flaw)).steps.len();
    let line = format!("{flaw:?}: seed {seed}, {shorter} of {steps} steps: {message}");
    if shorter < steps { Ok(line) } else { Err(line) }
}
