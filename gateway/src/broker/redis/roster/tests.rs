use super::*;
use crate::broker::fixtures::{channel, worker};
use std::slice::from_ref;

const LINGER: Duration = Duration::from_secs(2);

fn roster() -> Roster {
    Roster::new(LINGER)
}

fn is_told(wait: &mut oneshot::Receiver<()>) -> bool {
    wait.try_recv().is_ok()
}

fn wait(wanted: Wanted) -> oneshot::Receiver<()> {
    match wanted {
        Wanted::Wait(wait) => wait,
        Wanted::Subscribed => panic!("subscribed already"),
    }
}

/// A roster with a channel that the first worker is subscribed to.
fn subscribed(name: &str) -> (Roster, ChannelName) {
    let (mut roster, channel) = (roster(), channel(name));
    let mut told = wait(roster.want(&channel, worker(0), true));
    assert_eq!(roster.subscribe(10), from_ref(&channel));
    roster.subscribed(from_ref(&channel), Tick(0));
    assert!(is_told(&mut told));
    (roster, channel)
}

#[test]
fn who_waits_is_told_when_redis_has_confirmed_and_not_before() {
    let (mut roster, a) = (roster(), channel("a"));
    let mut first = wait(roster.want(&a, worker(0), true));
    let mut second = wait(roster.want(&a, worker(1), true));
    assert_eq!(roster.subscribe(10), *from_ref(&a));
    assert!(roster.subscribe(10).is_empty(), "once");
    let mut third = wait(roster.want(&a, worker(2), true));
    assert!(!is_told(&mut first) && !is_told(&mut second) && !is_told(&mut third));
    assert!(roster.subscribed(from_ref(&a), Tick(0)).is_empty(), "nothing was lost before the first subscription");
    assert!(is_told(&mut first) && is_told(&mut second) && is_told(&mut third));
    assert!(matches!(roster.want(&a, worker(3), true), Wanted::Subscribed));
    let (_, workers) = roster.route("a").expect("routed");
    assert_eq!(workers.iter().count(), 4);
}

#[test]
fn what_nobody_needs_lingers_and_is_then_forgotten() {
    let (mut roster, a) = subscribed("a");
    roster.drop_worker(&a, worker(0), Tick(1000));
    assert!(roster.route("a").is_none(), "nobody gets what still comes");
    assert!(roster.unsubscribe(10, Tick(2999)).is_empty());
    assert_eq!(roster.unsubscribe(10, Tick(3000)), *from_ref(&a));
    roster.unsubscribed(&[a]);
    assert_eq!(roster.len(), 0);
}

#[test]
fn who_comes_back_in_time_finds_the_subscription() {
    let (mut roster, a) = subscribed("a");
    roster.drop_worker(&a, worker(0), Tick(1000));
    assert!(matches!(roster.want(&a, worker(1), true), Wanted::Subscribed));
    assert!(roster.unsubscribe(10, Tick(9000)).is_empty());
    roster.drop_worker(&a, worker(1), Tick(9500));
    assert!(roster.unsubscribe(10, Tick(9600)).is_empty(), "the delay begins anew");
    assert_eq!(roster.unsubscribe(10, Tick(11_500)), [a]);
}

#[test]
fn who_comes_while_redis_is_told_to_forget_waits_for_a_new_subscription() {
    let (mut roster, a) = subscribed("a");
    roster.drop_worker(&a, worker(0), Tick(0));
    assert_eq!(roster.unsubscribe(10, Tick(2000)), *from_ref(&a));
    let mut told = wait(roster.want(&a, worker(1), true));
    assert!(roster.subscribe(10).is_empty(), "not before the confirmation");
    roster.unsubscribed(from_ref(&a));
    assert_eq!(roster.subscribe(10), *from_ref(&a));
    assert!(!is_told(&mut told));
    roster.subscribed(&[a], Tick(2000));
    assert!(is_told(&mut told));
}

#[test]
fn who_leaves_before_the_confirmation_leaves_a_lingering_subscription() {
    let (mut roster, a) = (roster(), channel("a"));
    let _told = wait(roster.want(&a, worker(0), true));
    assert_eq!(roster.subscribe(10), *from_ref(&a));
    roster.drop_worker(&a, worker(0), Tick(0));
    roster.subscribed(from_ref(&a), Tick(100));
    assert_eq!(roster.unsubscribe(10, Tick(2100)), [a]);
    let b = channel("b");
    let _told = wait(roster.want(&b, worker(0), true));
    roster.drop_worker(&b, worker(0), Tick(0));
    assert!(roster.subscribe(10).is_empty(), "Redis need not hear of it");
}

#[test]
fn after_a_broken_connection_all_that_is_needed_is_wanted_and_checked() {
    let (mut roster, a) = subscribed("a");
    let (lingering, unkept, waiting) = (channel("lingering"), channel("unkept"), channel("waiting"));
    for (name, kept) in [(&lingering, true), (&unkept, false)] {
        roster.want(name, worker(1), kept);
    }
    let names = roster.subscribe(10);
    roster.subscribed(&names, Tick(0));
    roster.drop_worker(&lingering, worker(1), Tick(0));
    let mut told = wait(roster.want(&waiting, worker(0), true));
    roster.subscribe(10);
    roster.disconnected();
    let mut again = roster.subscribe(10);
    again.sort();
    assert_eq!(again, [a.clone(), unkept, waiting], "what lingered is gone");
    assert!(!is_told(&mut told));
    assert_eq!(
        roster.subscribed(&again, Tick(10)),
        *from_ref(&a),
        "only what was relied on and is kept can have lost something that can be read"
    );
    assert!(is_told(&mut told));
    roster.disconnected();
    roster.disconnected();
    let again = roster.subscribe(10);
    assert!(roster.subscribed(&again, Tick(20)).contains(&a), "two breaks in a row are one");
    assert_eq!(roster.kept().len(), 2);
}

#[test]
fn a_confirmation_of_an_earlier_connection_counts_for_nothing() {
    let (mut roster, a) = (roster(), channel("a"));
    let mut told = wait(roster.want(&a, worker(0), true));
    let names = roster.subscribe(10);
    roster.disconnected();
    roster.subscribed(&names, Tick(0));
    assert!(!is_told(&mut told));
    assert_eq!(roster.subscribe(10), [a], "it is asked for again");
}

#[test]
fn chunks_are_bounded() {
    let mut roster = roster();
    for number in 0..25 {
        roster.want(&channel(&format!("c{number}")), worker(0), true);
    }
    let sizes: Vec<_> = std::iter::repeat_with(|| roster.subscribe(10).len()).take(4).collect();
    assert_eq!(sizes, [10, 10, 5, 0]);
}
