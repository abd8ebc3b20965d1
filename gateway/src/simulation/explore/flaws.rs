//! Proves that the simulation finds faults: it has to find each planted flaw.

use super::{
    case::Case,
    search::{Failure, search},
    subject::Subject,
};
use std::ops::Range;

/// Finds each flaw with one of these seeds. Returns a line for each. The error names the flaw that no seed finds, or whose plan cannot be
/// shrunk.
pub(in crate::simulation) fn find_flaws<S: Subject>(seeds: Range<u64>) -> Result<Vec<String>, String> {
    S::flaws().iter().map(|flaw| find::<S>(*flaw, seeds.clone())).collect()
}

fn find<S: Subject>(flaw: S::Flaw, seeds: Range<u64>) -> Result<String, String> {
    let Failure { seed, message, plan } = failure::<S>(flaw, seeds)?;
    let (before, after) = (plan.steps.len(), Case::shrunk(plan, Some(flaw)).len());
    let line = format!("{flaw:?}: seed {seed}, {after} of {before} steps: {message}");
    if after < before { Ok(line) } else { Err(line) }
}

/// Finds a flaw with one of these seeds, and writes a case for the corpus. Returns the report, or an error if no seed finds the flaw.
pub(in crate::simulation) fn shrink_flaw<S: Subject>(flaw: S::Flaw, seeds: Range<u64>) -> Result<String, String> {
    let Failure { seed, message, plan } = failure::<S>(flaw, seeds)?;
    let case = Case::shrunk(plan, Some(flaw));
    Ok(format!("{flaw:?}: seed {seed}: {message}\n{}", case.report(&S::name(flaw))))
}

fn failure<S: Subject>(flaw: S::Flaw, seeds: Range<u64>) -> Result<Failure<S>, String> {
    search(seeds, Some(flaw)).1.ok_or_else(|| format!("{flaw:?} is not found"))
}
