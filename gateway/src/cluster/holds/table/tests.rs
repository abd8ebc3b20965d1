use super::*;
use crate::broker::{Broker, MemoryBroker, MemoryLimits, Release, Vacate};

fn channel() -> ChannelName {
    "c:a".parse().expect("valid")
}

fn active() -> Table {
    let mut table = Table::default();
    table.activate();
    table
}

fn memory() -> Broker {
    Broker::Memory(MemoryBroker::new(Vec::new(), MemoryLimits::default()))
}

fn settle() -> Task {
    Task::Settle(channel())
}

#[test]
fn only_the_first_and_the_last_subscriber_of_the_node_concern_the_broker() {
    let (mut table, now) = (active(), Instant::now());
    assert!(table.enter(&channel()));
    assert!(!table.enter(&channel()));
    assert_eq!((table.next(now), table.next(now)), (Some(settle()), None));
    assert_eq!(table.step(&channel(), "n1/1"), Step::Hold);
    assert_eq!(table.held(&channel(), 7, "n1/1".into()), Held::New { over: None });
    assert_eq!(table.step(&channel(), "n1/1"), Step::Nothing);
    table.finish(&settle());
    assert!(!table.leave(&channel()));
    assert!(table.leave(&channel()));
    assert_eq!(table.next(now), Some(settle()));
    assert_eq!(table.step(&channel(), "n1/1"), Step::Release);
    assert_eq!(table.released(&channel()), Some(Occupation { channel: channel(), generation: 7 }));
    assert_eq!(table.step(&channel(), "n1/1"), Step::Nothing);
    table.finish(&settle());
    assert!(table.channels.is_empty() && table.tasks.is_empty());
}

#[test]
fn a_change_during_a_task_runs_it_again() {
    let (mut table, now) = (active(), Instant::now());
    table.enter(&channel());
    let task = table.next(now).expect("one");
    assert!(!table.leave(&channel()), "the task is in progress");
    assert_eq!(table.next(now), None, "never twice at a time");
    table.held(&channel(), 7, "n1/1".into());
    table.finish(&task);
    assert_eq!((table.next(now), table.step(&channel(), "n1/1")), (Some(settle()), Step::Release));
}

#[test]
fn nothing_is_to_do_before_a_service_wants_it_and_then_everything() {
    let (mut table, now) = (Table::default(), Instant::now());
    assert!(!table.enter(&channel()) && !table.enter(&"c:b".parse().expect("valid")));
    assert!(!table.leave(&channel()));
    assert_eq!(table.next(now), None);
    table.activate();
    table.activate();
    assert_eq!((table.next(now), table.next(now)), (Some(Task::Settle("c:b".parse().expect("valid"))), None));
}

#[test]
fn a_new_generation_of_the_node_holds_again_and_ends_an_occupation_that_the_store_has_lost() {
    let mut table = active();
    table.enter(&channel());
    table.held(&channel(), 7, "n1/1".into());
    assert_eq!(table.step(&channel(), "n1/2"), Step::Hold);
    assert_eq!(table.held(&channel(), 7, "n1/2".into()), Held::Known, "the occupation goes on");
    assert_eq!(table.step(&channel(), "n1/3"), Step::Hold);
    assert_eq!(table.held(&channel(), 9, "n1/3".into()), Held::New { over: Some(Occupation { channel: channel(), generation: 7 }) });
    table.leave(&channel());
    assert_eq!(table.step(&channel(), "n1/4"), Step::Release, "others may have cleaned up before the hold came");
    assert_eq!(table.released(&channel()), Some(Occupation { channel: channel(), generation: 9 }));
    assert!(table.channels.is_empty());
}

#[test]
fn a_doubted_hold_is_written_again_or_released() {
    let mut table = active();
    table.enter(&channel());
    table.held(&channel(), 7, "n1/1".into());
    table.doubt_all();
    assert_eq!(table.step(&channel(), "n1/1"), Step::Hold);
    assert_eq!(table.held(&channel(), 7, "n1/1".into()), Held::Known);
    assert_eq!(table.step(&channel(), "n1/1"), Step::Nothing);
    table.doubt_all();
    table.leave(&channel());
    assert_eq!(table.step(&channel(), "n1/1"), Step::Release);
}

#[test]
fn an_occupation_is_vacated_once_and_after_its_time() {
    let (mut table, now, linger) = (active(), Instant::now(), Duration::from_secs(2));
    let occupation = || Occupation { channel: channel(), generation: 7 };
    table.vacate(occupation(), now, linger);
    table.vacate(occupation(), now, Duration::ZERO);
    assert_eq!((table.next(now), table.due()), (None, Some(now + linger)));
    let task = table.next(now + linger).expect("due");
    assert_eq!((task.clone(), table.next(now + linger)), (Task::Vacate(occupation()), None));
    table.retry(task.clone(), now + 2 * linger);
    assert_eq!(table.next(now + linger), None);
    assert_eq!(table.next(now + 2 * linger), Some(task.clone()));
    table.finish(&task);
    table.vacate(occupation(), now, Duration::ZERO);
    assert_eq!(table.next(now), Some(task), "after its end it can begin again");
}

/// One attempt of [`Task::Settle`] with a real broker. If `is_answered` is false, the broker executes the step and the answer is lost.
async fn attempt(table: &mut Table, broker: &Broker, is_answered: bool) -> Option<Release> {
    loop {
        match table.step(&channel(), "n1/1") {
            Step::Nothing => return None,
            Step::Hold => {
                let hold = broker.hold(&channel()).await.expect("executed");
                if !is_answered {
                    return None;
                }
                table.held(&channel(), hold.generation, "n1/1".into());
            }
            Step::Release => {
                let release = broker.release(&channel()).await.expect("executed");
                if is_answered {
                    table.released(&channel());
                }
                return Some(release);
            }
        }
    }
}

#[tokio::test]
async fn a_hold_whose_answer_was_lost_is_released() {
    let (mut table, broker) = (active(), memory());
    table.enter(&channel());
    attempt(&mut table, &broker, false).await;
    table.leave(&channel());
    assert!(matches!(attempt(&mut table, &broker, true).await, Some(Release::Vacant(_))));
    assert!(table.channels.is_empty(), "nothing is left to do");
}

#[tokio::test]
async fn a_release_whose_answer_was_lost_is_followed_by_a_hold() {
    let (mut table, broker) = (active(), memory());
    table.enter(&channel());
    attempt(&mut table, &broker, true).await;
    table.leave(&channel());
    let Some(Release::Vacant(generation)) = attempt(&mut table, &broker, false).await else { panic!("released") };
    table.enter(&channel());
    attempt(&mut table, &broker, true).await;
    assert_eq!(broker.vacate(&channel(), generation, Duration::ZERO).await.expect("asked"), Vacate::Occupied);
}

#[tokio::test]
async fn a_release_that_never_arrived_is_repeated() {
    let mut table = active();
    table.enter(&channel());
    table.held(&channel(), 7, "n1/1".into());
    table.leave(&channel());
    for _ in 0..2 {
        assert_eq!(table.step(&channel(), "n1/1"), Step::Release);
    }
    assert_eq!(table.released(&channel()), Some(Occupation { channel: channel(), generation: 7 }));
    assert_eq!(table.step(&channel(), "n1/1"), Step::Nothing);
}

#[test]
fn an_occupation_that_becomes_vacant_again_during_its_task_is_checked_again() {
    let (mut table, now) = (active(), Instant::now());
    let occupation = || Occupation { channel: channel(), generation: 7 };
    table.vacate(occupation(), now, Duration::ZERO);
    let task = table.next(now).expect("due");
    table.vacate(occupation(), now, Duration::from_secs(2));
    assert_eq!((table.next(now), table.due()), (None, None), "never twice at a time");
    table.finish(&task);
    assert_eq!(table.next(now), Some(task.clone()));
    table.finish(&task);
    assert_eq!((table.next(now), table.tasks.len()), (None, 0));
}
