use super::*;
use crate::{
    broker::fixtures::{channel, worker},
    model::Epoch,
};
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

fn at(offset: u64) -> Position {
    Position { epoch: Epoch::parse("epoch001").expect("valid"), offset }
}

/// After a doubt the channel is told again and looked at.
fn is_renewed(roster: &mut Roster, channel: &ChannelName) -> bool {
    let names = roster.subscribe(10);
    assert!(names.is_empty() || names == *from_ref(channel));
    roster.subscribed(&names, Tick(0)) == names && !names.is_empty()
}

#[test]
fn what_was_acknowledged_has_to_come_or_the_channel_is_subscribed_to_again() {
    let (mut roster, a) = subscribed("a");
    let (_, before) = roster.kept().pop().expect("kept");
    roster.owe(&a, at(1), Tick(0));
    roster.owe(&a, at(2), Tick(1000));
    assert_eq!(roster.overdue(Tick(1999)), 0);
    assert!(roster.is_unbroken(&a, before));
    assert_eq!(roster.overdue(Tick(2000)), 1);
    assert!(!roster.is_unbroken(&a, before), "what was seen before says nothing any more");
    assert!(roster.kept().is_empty());
    assert!(is_renewed(&mut roster, &a));
    assert!(roster.kept().iter().all(|(_, incarnation)| *incarnation != before));
    assert_eq!(roster.overdue(Tick(9000)), 0, "once");
    assert!(!is_renewed(&mut roster, &a));
}

#[test]
fn what_came_is_owed_no_more() {
    let (mut roster, a) = subscribed("a");
    for (acknowledged, came) in [(1, Some(1)), (2, Some(3)), (3, None)] {
        roster.owe(&a, at(acknowledged), Tick(0));
        assert!(roster.deliver("a", came.map(at)).is_some());
    }
    assert_eq!(roster.overdue(Tick(2000)), 0);
    assert!(roster.owing.is_empty());
}

#[test]
fn a_channel_that_is_slow_has_time_as_long_as_something_comes() {
    let (mut roster, a) = subscribed("a");
    roster.owe(&a, at(9), Tick(0));
    for (second, offset) in [(2, 5), (4, 7)] {
        roster.deliver("a", Some(at(offset)));
        roster.deliver("a", None);
        assert_eq!(roster.overdue(Tick(1000 * second)), 0);
    }
    assert_eq!(roster.overdue(Tick(6000)), 1, "the last two never came");
}

#[test]
fn nothing_is_owed_to_channels_that_are_not_relied_on() {
    let (mut roster, unkept, waiting) = (roster(), channel("unkept"), channel("waiting"));
    roster.want(&unkept, worker(0), false);
    let names = roster.subscribe(10);
    roster.subscribed(&names, Tick(0));
    roster.want(&waiting, worker(0), true);
    for name in [&unkept, &waiting, &channel("unknown")] {
        roster.owe(name, at(1), Tick(0));
    }
    assert!(roster.owing.is_empty());
}

#[test]
fn one_entry_for_each_channel_is_remembered_however_much_is_acknowledged() {
    let (mut roster, a) = subscribed("a");
    for round in 0..100 {
        roster.owe(&a, at(2 * round + 1), Tick(10 * round));
        roster.deliver("a", Some(at(2 * round + 1)));
        roster.owe(&a, at(2 * round + 2), Tick(10 * round));
    }
    assert_eq!(roster.owing.len(), 1);
}

#[test]
fn a_doubted_channel_that_nobody_needs_any_more_lingers() {
    let (mut roster, a) = subscribed("a");
    roster.doubt(&a);
    roster.doubt(&a);
    roster.drop_worker(&a, worker(0), Tick(0));
    assert!(roster.subscribe(10).is_empty());
    assert_eq!(roster.unsubscribe(10, Tick(2000)), *from_ref(&a), "Redis still has it");
    roster.unsubscribed(&[a]);
    assert_eq!(roster.len(), 0);
}

#[test]
fn who_comes_to_a_doubted_channel_waits_and_a_broken_connection_ends_the_doubt() {
    let (mut roster, a) = subscribed("a");
    roster.doubt(&a);
    let mut told = wait(roster.want(&a, worker(1), true));
    roster.disconnected();
    assert!(!is_told(&mut told));
    assert!(is_renewed(&mut roster, &a));
    assert!(is_told(&mut told));
    assert!(!is_renewed(&mut roster, &a));
}
