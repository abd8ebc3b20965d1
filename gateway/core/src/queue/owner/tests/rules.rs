use super::driver::{Answer, Driver, limits};
use crate::queue::{
    DeadReason, EntryId,
    owner::{OwnerCount, OwnerLimits, Report},
};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn with(keys: &[&str]) -> (Driver, Vec<EntryId>) {
    let mut driver = Driver::new(limits());
    let ids = keys.iter().map(|key| driver.enqueue(key)).collect();
    while driver.read(Answer::Arrives) {}
    (driver, ids)
}

fn sent(driver: &mut Driver) -> Vec<EntryId> {
    let next = || {
        while driver.read(Answer::Arrives) {}
        driver.send()
    };
    std::iter::from_fn(next).map(|ticket| ticket.entry).collect()
}

fn refusal(temporary: bool, retry_after: Option<Duration>) -> Report {
    Report::Failed { temporary, retry_after, detail: "no".into() }
}

#[test]
fn a_key_has_one_delivery_at_a_time_and_entries_without_a_key_do_not_wait() {
    let (mut driver, ids) = with(&["a", "b", "a", "", "", "b"]);
    let first = driver.send().expect("the first");
    assert_eq!(first.entry, ids[0]);
    assert_eq!(sent(&mut driver), [ids[1], ids[3], ids[4]]);
    driver.report(first, Report::Done);
    assert_eq!(sent(&mut driver), [ids[2]]);
}

// NL-8.6
#[test]
fn what_is_pending_comes_before_what_is_new() {
    let mut driver = Driver::new(OwnerLimits { window: 4, ..limits() });
    let ids: Vec<_> = (0..9).map(|_| driver.enqueue("")).collect();
    driver.read(Answer::Arrives);
    driver.read(Answer::Arrives);
    assert_eq!(sent(&mut driver), ids[..4]);
    driver.take_over();
    while driver.read(Answer::Arrives) {}
    assert_eq!(sent(&mut driver), ids[..4], "again, before the others");
    driver.finish();
}

// NL-8.6
#[test]
fn entries_whose_answer_was_lost_come_before_later_ones() {
    let mut driver = Driver::new(limits());
    let first = driver.enqueue("a");
    driver.read(Answer::Arrives);
    assert!(driver.read(Answer::IsLost), "new");
    let second = driver.enqueue("a");
    while driver.read(Answer::Arrives) {}
    let ticket = driver.send().expect("the first");
    assert_eq!(ticket.entry, first);
    driver.report(ticket, Report::Done);
    assert_eq!(sent(&mut driver), [second]);
}

// NL-8.8
#[test]
fn a_failed_entry_blocks_its_key_only_and_becomes_a_dead_letter_after_its_tries() {
    let (mut driver, ids) = with(&["a", "a", "b"]);
    for attempt in 1..=3 {
        let ticket = driver.send().expect("a try");
        assert_eq!((ticket.entry, ticket.attempt), (ids[0], attempt));
        driver.fail(ticket);
        if attempt == 1 {
            assert_eq!(sent(&mut driver), [ids[2]]);
        }
        assert_eq!(driver.send(), None, "a pause");
        driver.store();
        if attempt < 3 {
            assert_eq!((driver.backlog.blocked_keys(), driver.stream[&ids[0]].tries), (1, attempt));
            driver.pass(SECOND * 2);
            while driver.read(Answer::Arrives) {}
        }
    }
    assert_eq!(driver.dead.get(&ids[0]), Some(&DeadReason::Tries));
    assert_eq!(sent(&mut driver), [ids[1]]);
}

#[test]
fn the_consumer_can_ask_for_a_longer_pause_up_to_the_longest_one() {
    for (asked_for, pause) in [(Duration::ZERO, SECOND), (SECOND * 5, SECOND * 5), (SECOND * 11, SECOND * 10), (Duration::MAX, SECOND * 10)]
    {
        let (mut driver, _) = with(&["a"]);
        let ticket = driver.send().expect("a try");
        driver.report(ticket, refusal(true, Some(asked_for)));
        assert_eq!(driver.backlog.deadline(), Some(driver.now.after(pause)));
    }
}

// NL-8.8
#[test]
fn what_is_refused_for_good_becomes_a_dead_letter_at_once() {
    let (mut driver, ids) = with(&["a", "a"]);
    let ticket = driver.send().expect("a try");
    driver.report(ticket, refusal(false, None));
    driver.store();
    assert_eq!(driver.dead.get(&ids[0]), Some(&DeadReason::Refused));
    assert_eq!(sent(&mut driver), [ids[1]]);
}

#[test]
fn a_delivery_that_is_lost_with_its_link_comes_again_at_once() {
    let (mut driver, ids) = with(&["a"]);
    for attempt in 1..=3 {
        let ticket = driver.send().expect("at once");
        assert_eq!(ticket.attempt, attempt);
        driver.report(ticket, Report::Lost);
    }
    driver.store();
    assert_eq!(driver.dead.get(&ids[0]), Some(&DeadReason::Tries));
}

#[test]
fn a_late_acknowledgement_counts_while_the_entry_is_there() {
    let (mut driver, ids) = with(&["a", "a"]);
    let ticket = driver.send().expect("a try");
    driver.pass(limits().visibility);
    assert_eq!(driver.backlog.blocked_keys(), 1);
    driver.report(ticket, Report::Done);
    driver.store();
    assert_eq!(driver.stream.keys().copied().collect::<Vec<_>>(), [ids[1]]);
    while driver.read(Answer::Arrives) {}
    assert_eq!(sent(&mut driver), [ids[1]]);
    driver.report(ticket, Report::Done);
    driver.report(ticket, refusal(false, None));
    assert_eq!(driver.backlog.in_flight(), 1, "reports about the first have no effect on the second");
}

// NL-8.5
#[test]
fn reports_of_an_earlier_ownership_have_no_effect() {
    let (mut driver, ids) = with(&["a"]);
    let ticket = driver.send().expect("a try");
    driver.take_over();
    while driver.read(Answer::Arrives) {}
    driver.report(ticket, Report::Done);
    driver.report(ticket, refusal(false, None));
    driver.store();
    assert!(driver.stream.contains_key(&ids[0]) && driver.dead.is_empty());
    assert_eq!(sent(&mut driver), [ids[0]]);
}

// NL-8.7
#[test]
fn nothing_dies_while_the_service_is_away_except_what_expires() {
    let (mut driver, ids) = with(&["a", "b"]);
    let expires = driver.enqueue_as("c", 10, Some(HOUR / 2));
    while driver.read(Answer::Arrives) {}
    let mut offers = 0;
    for _ in 0..3600 {
        while let Some(handout) = driver.take() {
            offers += 1;
            driver.report(handout.ticket, Report::NotSent);
        }
        driver.pass(SECOND);
        driver.store();
    }
    assert_eq!(driver.dead.iter().collect::<Vec<_>>(), [(&expires, &DeadReason::Expired)]);
    assert!(driver.stream.values().all(|stored| stored.tries == 0));
    assert!(offers < 12_000, "{offers} offers in an hour");
    assert_eq!(sent(&mut driver), ids);
    assert_eq!(driver.backlog.take_counts().find(|(what, _)| *what == OwnerCount::Delivered), Some((OwnerCount::Delivered, 2)));
}

#[test]
fn a_pause_stops_deliveries_and_reads() {
    let (mut driver, ids) = with(&["a"]);
    driver.backlog.set_paused(true);
    let later = driver.enqueue("b");
    assert!(driver.take().is_none() && !driver.read(Answer::Arrives));
    driver.backlog.set_paused(false);
    assert_eq!(sent(&mut driver), [ids[0], later]);
}

#[test]
fn a_key_that_has_no_place_among_the_dead_letters_waits_and_others_go_on() {
    let (mut driver, ids) = with(&["a", "b", "b"]);
    driver.places = 0;
    let ticket = driver.send().expect("a try");
    driver.report(ticket, refusal(false, None));
    driver.store();
    assert!(driver.backlog.dead_letters_full());
    assert_eq!((driver.backlog.blocked_keys(), driver.backlog.loaded()), (1, 1));
    assert_eq!(sent(&mut driver), [ids[1]]);
    driver.places = 1;
    driver.pass(SECOND);
    driver.store();
    assert!(!driver.backlog.dead_letters_full());
    assert_eq!(driver.dead.get(&ids[0]), Some(&DeadReason::Refused));
}

#[test]
fn of_a_blocked_key_only_ids_are_kept_and_at_their_limit_nothing_more_is_read() {
    let limits = OwnerLimits { window: 16, blocked_ids: 20, ..limits() };
    let mut driver = Driver::new(limits);
    driver.enqueue("poisoned");
    while driver.read(Answer::Arrives) {}
    let ticket = driver.send().expect("a try");
    driver.fail(ticket);
    for _ in 0..100 {
        driver.enqueue("poisoned");
    }
    let other = driver.enqueue("other");
    while driver.read(Answer::Arrives) {}
    assert_eq!((driver.backlog.loaded(), driver.backlog.waits_for()), (0, Some("poisoned")));
    assert!((32..=36).contains(&driver.backlog.ids_only()), "{}", driver.backlog.ids_only());
    assert!(driver.stream.contains_key(&other));
    driver.finish();
    assert_eq!(driver.backlog.waits_for(), None);
}

#[test]
fn one_key_does_not_use_the_whole_window() {
    let mut driver = Driver::new(OwnerLimits { window: 16, ..limits() });
    for _ in 0..50 {
        driver.enqueue("busy");
    }
    let other = driver.enqueue("other");
    while driver.read(Answer::Arrives) {}
    assert_eq!(sent(&mut driver)[1..], [other]);
    driver.finish();
}

#[test]
fn malformed_entries_become_dead_letters_and_block_nothing() {
    let mut driver = Driver::new(limits());
    let wrong = driver.enqueue_as("a", 1000, None);
    let right = driver.enqueue("a");
    while driver.read(Answer::Arrives) {}
    driver.store();
    assert_eq!(driver.dead.get(&wrong), Some(&DeadReason::Malformed));
    assert_eq!(sent(&mut driver), [right]);
}

#[test]
fn deleted_entries_are_forgotten() {
    let (mut driver, ids) = with(&["a", "a", "a"]);
    let ticket = driver.send().expect("a try");
    driver.fail(ticket);
    driver.stream.remove(&ids[0]);
    driver.stream.remove(&ids[1]);
    driver.pass(SECOND * 2);
    while driver.read(Answer::Arrives) {}
    assert_eq!(sent(&mut driver), [ids[2]]);
}
