use super::{
    plan::Plan,
    replay_corpus,
    run::{Record, attempt},
    try_seeds,
};
use crate::broker::simulated::Flaw;

#[test]
fn the_guarantees_hold_on_the_corpus() {
    if let Err(report) = replay_corpus() {
        panic!("{report}");
    }
}

#[test]
fn the_guarantees_hold_on_some_seeds() {
    if let Err(report) = try_seeds(0..500) {
        panic!("{report}");
    }
}

#[test]
fn two_runs_of_a_seed_are_equal() {
    for seed in 0..20 {
        let (mut first, mut second) = (Record::with_steps(), Record::with_steps());
        let ends = (attempt(&Plan::of(seed), None, &mut first), attempt(&Plan::of(seed), None, &mut second));
        assert_eq!(ends.0, ends.1, "seed {seed}");
        assert_eq!((first.steps, first.reached), (second.steps, second.reached), "seed {seed}");
    }
}

#[test]
fn a_run_that_logs_an_error_fails() {
    let ends: Vec<_> = (0..50).filter_map(|seed| attempt(&Plan::of(seed), Some(Flaw::LogsError), &mut Record::default()).err()).collect();
    assert!(!ends.is_empty(), "no run failed, although the subscriber connection breaks in many");
    for end in ends {
        assert!(end.starts_with("it logged: ERROR") && end.ends_with("a planted error"), "{end}");
    }
}
