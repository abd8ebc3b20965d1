use super::{explored::Queues, try_seeds};
use crate::simulation::explore::{Record, Subject as _};

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
        let ends = (Queues::attempt(&Queues::plan(seed), None, &mut first), Queues::attempt(&Queues::plan(seed), None, &mut second));
        assert_eq!(ends.0, ends.1, "seed {seed}");
        assert_eq!((first.steps, first.reached), (second.steps, second.reached), "seed {seed}");
    }
}
