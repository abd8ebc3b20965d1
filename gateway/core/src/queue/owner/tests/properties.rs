use super::driver::{Answer, Driver, Written, limits};
use crate::queue::owner::{OwnerLimits, Report};
use proptest::{collection::vec, prelude::*};
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Enqueue { key: usize, bytes: usize, expires: Option<u16> },
    Read { lost: bool },
    Take { sends: bool },
    Report { which: usize, report: usize },
    Store { places: usize },
    Pass { ms: u16 },
    TakeOver,
    Pause(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let expires = prop_oneof![8 => Just(None), 1 => (1000_u16..20_000).prop_map(Some)];
    prop_oneof![
        6 => (0_usize..4, 1_usize..130, expires).prop_map(|(key, bytes, expires)| Step::Enqueue { key, bytes, expires }),
        6 => prop::bool::weighted(0.2).prop_map(|lost| Step::Read { lost }),
        6 => prop::bool::weighted(0.8).prop_map(|sends| Step::Take { sends }),
        6 => (any::<usize>(), 0_usize..10).prop_map(|(which, report)| Step::Report { which, report }),
        3 => prop_oneof![3 => Just(usize::MAX), 1 => Just(0_usize)].prop_map(|places| Step::Store { places }),
        2 => (1_u16..40_000).prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::TakeOver),
        1 => any::<bool>().prop_map(Step::Pause),
    ]
}

fn carry_out(driver: &mut Driver, step: &Step) {
    match *step {
        Step::Enqueue { key, bytes, expires } => {
            driver.enqueue_as(["", "a", "b", "c"][key], bytes, expires.map(|ms| Duration::from_millis(ms.into())));
        }
        Step::Read { lost } => drop(driver.read(if lost { Answer::IsLost } else { Answer::Arrives })),
        Step::Take { sends: true } => drop(driver.send()),
        Step::Take { sends: false } => drop(driver.take()),
        Step::Report { which, report } => {
            let Some((held, written)) = driver.held.get(which % driver.held.len().max(1)).cloned() else { return };
            let failed = |temporary, retry_after| Report::Failed { temporary, retry_after, detail: "no".into() };
            let report = match (report, written != Written::No) {
                (0..4, _) => Report::Done,
                (4, _) => failed(true, None),
                (5, _) => failed(true, Some(Duration::from_secs(20))),
                (6, _) => failed(false, None),
                (7, true) => Report::Lost,
                (8, false) => Report::Sent,
                _ => Report::NotSent,
            };
            driver.report(held.ticket, report);
        }
        Step::Store { places } => {
            driver.places = places.max(driver.dead.len());
            driver.store();
        }
        Step::Pass { ms } => driver.pass(Duration::from_millis(ms.into())),
        Step::TakeOver => driver.take_over(),
        Step::Pause(paused) => driver.backlog.set_paused(paused),
    }
    driver.check_bounds();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_is_lost_reordered_or_repeated_without_a_reason(
        steps in vec(step(), 0..200), window in 1_usize..20, blocked_ids in 0_usize..30, window_bytes in 50_usize..1000,
    ) {
        let mut driver = Driver::new(OwnerLimits { window, window_bytes, blocked_ids, ..limits() });
        for step in &steps {
            carry_out(&mut driver, step);
        }
        driver.finish();
    }
}
