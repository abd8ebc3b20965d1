//! Counts which situations runs reach.

use std::{collections::BTreeSet, fmt};

/// How many runs reached each situation.
#[derive(Default)]
pub struct Tally(Vec<(String, u64)>);

impl Tally {
    /// No runs.
    pub(super) fn new<Situation: fmt::Display>(all: &[Situation]) -> Self {
        Self(all.iter().map(|situation| (situation.to_string(), 0)).collect())
    }

    /// Adds the situations of a run.
    pub(super) fn add<Situation: Ord>(&mut self, all: &[Situation], reached: &BTreeSet<Situation>) {
        for ((_, runs), situation) in self.0.iter_mut().zip(all) {
            *runs += u64::from(reached.contains(situation));
        }
    }

    /// The situations that no run reached.
    pub fn unreached(&self) -> Vec<String> {
        self.0.iter().filter(|(_, runs)| *runs == 0).map(|(situation, _)| situation.clone()).collect()
    }
}

/// A table: number of runs, and situation.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(situation, runs)| writeln!(f, "{runs:>8}  {situation}"))
    }
}
