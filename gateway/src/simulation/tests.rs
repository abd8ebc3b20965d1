use super::{plan::Plan, run::attempt, search::try_seeds};

#[test]
fn the_guarantees_hold_on_some_seeds() {
    if let Err(report) = try_seeds(0..500) {
        panic!("{report}");
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
