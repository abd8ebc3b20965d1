use super::{
    channels::{Channels, replay_corpus, try_seeds},
    explore::{Case, Record, Subject as _, check},
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
        let ends =
            (Channels::attempt(&Channels::plan(seed), None, &mut first), Channels::attempt(&Channels::plan(seed), None, &mut second));
        assert_eq!(ends.0, ends.1, "seed {seed}");
        assert_eq!((first.steps, first.reached), (second.steps, second.reached), "seed {seed}");
    }
}

#[test]
fn a_run_that_logs_an_error_fails() {
    let ends: Vec<_> =
        (0..50).filter_map(|seed| Channels::attempt(&Channels::plan(seed), Some(Flaw::LogsError), &mut Record::default()).err()).collect();
    assert!(!ends.is_empty(), "no run failed, although the subscriber connection breaks in many");
    for end in ends {
        assert!(end.starts_with("it logged: ERROR") && end.ends_with("a planted error"), "{end}");
    }
}

#[test]
fn a_case_that_no_longer_finds_its_flaw_is_reported() {
    let cases = Case::<Channels>::corpus().expect("readable");
    let (_, mut case) = cases.into_iter().find(|(_, case)| case.flaw == Some(Flaw::OneEpoch)).expect("one for each flaw");
    assert_eq!(check(&case), None);
    case.flaw = Some(Flaw::ForgetsAnswers);
    let expected = "this case no longer finds ForgetsAnswers: `just simulate --flaw forgets-answers` shrinks a new one";
    assert_eq!(check(&case).as_deref(), Some(expected));
}

#[test]
fn a_written_case_is_read_as_it_was() {
    for (name, case) in Case::<Channels>::corpus().expect("readable") {
        let text = case.text().expect("plain values");
        let read: Case<Channels> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error} in {text}"));
        assert_eq!(read.text().expect("plain values"), text, "{name}");
        assert_eq!(read.attempt(case.flaw), case.attempt(case.flaw), "{name}");
    }
}
