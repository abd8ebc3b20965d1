//! The runs of this folder, for those who explore them.

use super::{
    explore::{self, Plan, Record, Subject, Tally},
    plan::{Shape, Step, plan},
    run::attempt,
    situations::Situation,
};
use crate::broker::simulated::Flaw;
use std::ops::Range;

/// Channels: what keeps publications from being lost.
pub(super) enum Channels {}

impl Subject for Channels {
    type Shape = Shape;
    type Step = Step;
    type Flaw = Flaw;
    type Situation = Situation;

    const PLAIN: Shape = Shape::PLAIN;
    const CORPUS: &'static str = "gateway/tests/simulation_corpus";
    const OPTION: &'static str = "";

    fn plan(seed: u64) -> Plan<Self> {
        let (shape, steps) = plan(seed);
        Plan { shape, steps }
    }

    fn fitted(step: Step, shape: &Shape) -> Step {
        step.fitted_to(shape)
    }

    fn attempt(plan: &Plan<Self>, flaw: Option<Flaw>, record: &mut Record<Situation>) -> Result<(), String> {
        attempt(plan.shape, &plan.steps, flaw, record)
    }

    fn flaws() -> &'static [Flaw] {
        Flaw::all()
    }

    fn name(flaw: Flaw) -> String {
        flaw.name()
    }

    fn situations() -> Vec<Situation> {
        Situation::all().collect()
    }
}

/// Runs all cases of the corpus and returns their number. Each case must pass without a flaw; a case with a flaw must fail with it. Each
/// flaw must have a case. The error lists what is wrong.
pub fn replay_corpus() -> Result<usize, String> {
    explore::replay_corpus::<Channels>()
}

/// Runs the plans of these seeds and returns which situations they reached. The error is the report of a seed that fails.
pub fn try_seeds(seeds: Range<u64>) -> Result<Tally, String> {
    explore::try_seeds::<Channels>(seeds)
}

/// Finds each flaw with one of these seeds. Returns a line for each. The error names the flaw that no seed finds, or whose plan cannot be
/// shrunk.
pub fn find_flaws(seeds: Range<u64>) -> Result<Vec<String>, String> {
    explore::find_flaws::<Channels>(seeds)
}

/// Finds a flaw with one of these seeds, and writes a case for the corpus. Returns the report, or an error if no seed finds the flaw.
pub fn shrink_flaw(flaw: Flaw, seeds: Range<u64>) -> Result<String, String> {
    explore::shrink_flaw::<Channels>(flaw, seeds)
}
