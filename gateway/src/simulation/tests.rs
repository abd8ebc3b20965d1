use super::{
    plan::Plan,
    run::attempt,
    search::{search, shrink},
};
use crate::broker::simulated::Flaw;

/// Default number of seeds.
const RUNS: u64 = 3000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn the_guarantees_hold_on_every_seed() {
    let (first, runs) = (setting("SIMULATION_SEED").unwrap_or(0), setting("SIMULATION_RUNS").unwrap_or(RUNS));
    if let Some(failure) = search(first..first + runs, None) {
        panic!("{}", failure.report(None));
    }
}

#[test]
fn a_seed_gives_the_same_run_again() {
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
    let runs = setting("SIMULATION_RUNS").unwrap_or(RUNS);
    for flaw in all {
        let began = std::time::Instant::now();
        let failure = search(0..runs, Some(flaw)).unwrap_or_else(|| panic!("{flaw:?} is not found"));
        let (seed, steps, took) = (failure.seed, failure.plan.steps.len(), began.elapsed());
        let shorter = shrink(failure.plan, Some(flaw));
        println!("{flaw:?}: seed {seed}, after {took:?}, {} of {steps} steps: {}", shorter.steps.len(), failure.message);
        assert!(shorter.steps.len() < steps, "{flaw:?}");
    }
}
