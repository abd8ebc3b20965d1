use super::*;
use crate::{
    broker::redis::{
        schema::slot::SLOTS,
        servers::topology::{Claim, Endpoint},
    },
    testing::fixtures::{channel, worker},
};
use futures_util::FutureExt as _;
use gateway_core::model::Epoch;
use std::slice::from_ref;

const LINGER: Duration = Duration::from_secs(2);
const HERE: Master = Master(0);

fn roster() -> Roster {
    Roster::new(Arc::new(Topology::whole(HERE)), LINGER)
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
    assert_eq!(roster.subscribe(HERE, 10), from_ref(&channel));
    roster.subscribed(HERE, from_ref(&channel), Tick(0));
    assert!(is_told(&mut told));
    (roster, channel)
}

#[test]
fn who_waits_is_told_when_redis_has_confirmed_and_not_before() {
    let (mut roster, a) = (roster(), channel("a"));
    let mut first = wait(roster.want(&a, worker(0), true));
    let mut second = wait(roster.want(&a, worker(1), true));
    assert_eq!(roster.subscribe(HERE, 10), *from_ref(&a));
    assert!(roster.subscribe(HERE, 10).is_empty(), "once");
    let mut third = wait(roster.want(&a, worker(2), true));
    assert!(!is_told(&mut first) && !is_told(&mut second) && !is_told(&mut third));
    assert!(roster.subscribed(HERE, from_ref(&a), Tick(0)).is_empty(), "nothing was lost before the first subscription");
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
    assert!(roster.unsubscribe(HERE, 10, Tick(2999)).is_empty());
    assert_eq!(roster.unsubscribe(HERE, 10, Tick(3000)), *from_ref(&a));
    roster.unsubscribed(HERE, &[a]);
    assert_eq!(roster.len(), 0);
}

#[test]
fn who_comes_back_in_time_finds_the_subscription() {
    let (mut roster, a) = subscribed("a");
    roster.drop_worker(&a, worker(0), Tick(1000));
    assert!(matches!(roster.want(&a, worker(1), true), Wanted::Subscribed));
    assert!(roster.unsubscribe(HERE, 10, Tick(9000)).is_empty());
    roster.drop_worker(&a, worker(1), Tick(9500));
    assert!(roster.unsubscribe(HERE, 10, Tick(9600)).is_empty(), "the delay begins anew");
    assert_eq!(roster.unsubscribe(HERE, 10, Tick(11_500)), [a]);
}

#[test]
fn who_comes_while_redis_is_told_to_forget_waits_for_a_new_subscription() {
    let (mut roster, a) = subscribed("a");
    roster.drop_worker(&a, worker(0), Tick(0));
    assert_eq!(roster.unsubscribe(HERE, 10, Tick(2000)), *from_ref(&a));
    let mut told = wait(roster.want(&a, worker(1), true));
    assert!(roster.subscribe(HERE, 10).is_empty(), "not before the confirmation");
    roster.unsubscribed(HERE, from_ref(&a));
    assert_eq!(roster.subscribe(HERE, 10), *from_ref(&a));
    assert!(!is_told(&mut told));
    roster.subscribed(HERE, &[a], Tick(2000));
    assert!(is_told(&mut told));
}

#[test]
fn who_leaves_before_the_confirmation_leaves_a_lingering_subscription() {
    let (mut roster, a) = (roster(), channel("a"));
    let _told = wait(roster.want(&a, worker(0), true));
    assert_eq!(roster.subscribe(HERE, 10), *from_ref(&a));
    roster.drop_worker(&a, worker(0), Tick(0));
    roster.subscribed(HERE, from_ref(&a), Tick(100));
    assert_eq!(roster.unsubscribe(HERE, 10, Tick(2100)), [a]);
    let b = channel("b");
    let _told = wait(roster.want(&b, worker(0), true));
    roster.drop_worker(&b, worker(0), Tick(0));
    assert!(roster.subscribe(HERE, 10).is_empty(), "Redis need not hear of it");
}

#[test]
fn after_a_broken_connection_all_that_is_needed_is_wanted_and_checked() {
    let (mut roster, a) = subscribed("a");
    let (lingering, unkept, waiting) = (channel("lingering"), channel("unkept"), channel("waiting"));
    for (name, kept) in [(&lingering, true), (&unkept, false)] {
        roster.want(name, worker(1), kept);
    }
    let names = roster.subscribe(HERE, 10);
    roster.subscribed(HERE, &names, Tick(0));
    roster.drop_worker(&lingering, worker(1), Tick(0));
    let mut told = wait(roster.want(&waiting, worker(0), true));
    roster.subscribe(HERE, 10);
    roster.disconnected(HERE);
    let mut again = roster.subscribe(HERE, 10);
    again.sort();
    assert_eq!(again, [a.clone(), unkept, waiting], "what lingered is gone");
    assert!(!is_told(&mut told));
    assert_eq!(
        roster.subscribed(HERE, &again, Tick(10)),
        *from_ref(&a),
        "only what was relied on and is kept can have lost something that can be read"
    );
    assert!(is_told(&mut told));
    roster.disconnected(HERE);
    roster.disconnected(HERE);
    let again = roster.subscribe(HERE, 10);
    assert!(roster.subscribed(HERE, &again, Tick(20)).contains(&a), "two breaks in a row are one");
    assert_eq!(roster.kept().len(), 2);
}

#[test]
fn a_confirmation_of_an_earlier_connection_counts_for_nothing() {
    let (mut roster, a) = (roster(), channel("a"));
    let mut told = wait(roster.want(&a, worker(0), true));
    let names = roster.subscribe(HERE, 10);
    roster.disconnected(HERE);
    roster.subscribed(HERE, &names, Tick(0));
    assert!(!is_told(&mut told));
    assert_eq!(roster.subscribe(HERE, 10), [a], "it is asked for again");
}

#[test]
fn chunks_are_bounded() {
    let mut roster = roster();
    for number in 0..25 {
        roster.want(&channel(&format!("c{number}")), worker(0), true);
    }
    let sizes: Vec<_> = std::iter::repeat_with(|| roster.subscribe(HERE, 10).len()).take(4).collect();
    assert_eq!(sizes, [10, 10, 5, 0]);
}

fn at(offset: u64) -> Position {
    Position { epoch: Epoch::parse("epoch001").expect("valid"), offset }
}

/// After a doubt the channel is told again and looked at.
fn is_renewed(roster: &mut Roster, channel: &ChannelName) -> bool {
    let names = roster.subscribe(HERE, 10);
    assert!(names.is_empty() || names == *from_ref(channel));
    roster.subscribed(HERE, &names, Tick(0)) == names && !names.is_empty()
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
        assert!(roster.deliver(HERE, "a", came.map(at)).is_some());
    }
    assert_eq!(roster.overdue(Tick(2000)), 0);
    assert!(roster.owing.is_empty());
}

#[test]
fn a_channel_that_is_slow_has_time_as_long_as_something_comes() {
    let (mut roster, a) = subscribed("a");
    roster.owe(&a, at(9), Tick(0));
    for (second, offset) in [(2, 5), (4, 7)] {
        roster.deliver(HERE, "a", Some(at(offset)));
        roster.deliver(HERE, "a", None);
        assert_eq!(roster.overdue(Tick(1000 * second)), 0);
    }
    assert_eq!(roster.overdue(Tick(6000)), 1, "the last two never came");
}

#[test]
fn nothing_is_owed_to_channels_that_are_not_relied_on() {
    let (mut roster, unkept, waiting) = (roster(), channel("unkept"), channel("waiting"));
    roster.want(&unkept, worker(0), false);
    let names = roster.subscribe(HERE, 10);
    roster.subscribed(HERE, &names, Tick(0));
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
        roster.deliver(HERE, "a", Some(at(2 * round + 1)));
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
    assert!(roster.subscribe(HERE, 10).is_empty());
    assert_eq!(roster.unsubscribe(HERE, 10, Tick(2000)), *from_ref(&a), "Redis still has it");
    roster.unsubscribed(HERE, &[a]);
    assert_eq!(roster.len(), 0);
}

#[test]
fn who_comes_to_a_doubted_channel_waits_and_a_broken_connection_ends_the_doubt() {
    let (mut roster, a) = subscribed("a");
    roster.doubt(&a);
    let mut told = wait(roster.want(&a, worker(1), true));
    roster.disconnected(HERE);
    assert!(!is_told(&mut told));
    assert!(is_renewed(&mut roster, &a));
    assert!(is_told(&mut told));
    assert!(!is_renewed(&mut roster, &a));
}

#[test]
fn who_comes_back_to_a_doubted_channel_waits_as_well() {
    let (mut roster, a) = subscribed("a");
    roster.doubt(&a);
    roster.drop_worker(&a, worker(0), Tick(0));
    assert!(roster.subscribe(HERE, 10).is_empty(), "nobody needs it");
    let mut told = wait(roster.want(&a, worker(1), true));
    assert!(!is_told(&mut told));
    assert!(is_renewed(&mut roster, &a));
    assert!(is_told(&mut told));
}

const THERE: Master = Master(1);

/// The slots of these channels are served there, all others here.
fn with_there(names: &[&str]) -> Arc<Topology> {
    let place = |port, epoch, slots: Vec<_>| Claim::new(Endpoint { host: "h".into(), port }, epoch, slots);
    let there = names.iter().map(|name| slot(&channel(name)).0).map(|slot| (slot, slot)).collect();
    let claims = vec![place(0, 1, vec![(0, SLOTS - 1)]), place(1, 2, there)];
    Arc::new(Topology::merge(claims, |endpoint| Some(Master(endpoint.port.into()))))
}

/// A roster with two channels, each subscribed to at its own home.
fn two_homes() -> (Roster, ChannelName, ChannelName) {
    let (mut roster, a, b) = (Roster::new(with_there(&["b"]), LINGER), channel("a"), channel("b"));
    for name in [&a, &b] {
        roster.want(name, worker(0), true);
    }
    assert_eq!((roster.subscribe(HERE, 9), roster.subscribe(THERE, 9)), (vec![a.clone()], vec![b.clone()]));
    roster.subscribed(HERE, from_ref(&a), Tick(0));
    roster.subscribed(THERE, from_ref(&b), Tick(0));
    (roster, a, b)
}

#[test]
fn each_master_is_told_of_its_own_channels() {
    let (mut roster, a, b) = two_homes();
    assert!(roster.deliver(HERE, "a", None).is_some() && roster.deliver(THERE, "b", None).is_some());
    assert!(roster.deliver(THERE, "a", None).is_none(), "what another master announces is not the channel's");
    roster.disconnected(THERE);
    assert!(roster.subscribe(HERE, 9).is_empty());
    assert_eq!(roster.subscribe(THERE, 9), *from_ref(&b));
    assert_eq!(roster.subscribed(HERE, from_ref(&b), Tick(0)), [], "only its home can confirm it");
    assert_eq!(roster.subscribed(THERE, &[b], Tick(0)), [channel("b")]);
    assert_eq!(roster.kept_in(&BTreeSet::from([slot(&a)])), [a]);
}

#[test]
fn a_channel_whose_slot_has_moved_is_wanted_at_its_new_home_and_checked() {
    let (mut roster, a, b) = two_homes();
    roster.rehome(with_there(&["a", "b"]));
    assert!(roster.told(THERE).notified().now_or_never().is_some());
    let mut waits = wait(roster.want(&a, worker(1), true));
    assert!(roster.deliver(HERE, "a", None).is_none(), "what its old home still announces has no place in the order");
    assert!(roster.subscribe(HERE, 9).is_empty());
    assert_eq!(roster.subscribe(THERE, 9), *from_ref(&a), "the other stays as it was");
    assert_eq!(roster.subscribed(THERE, from_ref(&a), Tick(0)), *from_ref(&a));
    assert!(is_told(&mut waits));
    roster.rehome(with_there(&["a", "b"]));
    assert!(roster.subscribe(THERE, 9).is_empty(), "{b} and {a} have not moved");
}

#[test]
fn a_subscription_that_its_master_ended_is_wanted_again_and_checked() {
    let (mut roster, a, b) = two_homes();
    assert!(!roster.ended(THERE, "a"), "it was not theirs");
    assert!(roster.ended(HERE, "a"));
    assert!(!roster.ended(HERE, "a"), "once");
    assert_eq!(roster.subscribe(HERE, 9), *from_ref(&a));
    roster.refused(HERE, from_ref(&a));
    assert_eq!(roster.subscribe(HERE, 9), *from_ref(&a), "who is refused asks again");
    assert_eq!(roster.subscribed(HERE, from_ref(&a), Tick(0)), [a]);
    roster.drop_worker(&b, worker(0), Tick(0));
    assert!(roster.ended(THERE, "b"));
    assert!(roster.subscribe(THERE, 9).is_empty(), "nobody needs it");
    assert_eq!(roster.len(), 1);
}

#[test]
fn an_end_that_was_asked_for_is_no_loss() {
    let (mut roster, a, _) = two_homes();
    roster.drop_worker(&a, worker(0), Tick(0));
    assert_eq!(roster.unsubscribe(HERE, 9, Tick(2000)), *from_ref(&a));
    assert!(!roster.ended(HERE, "a"));
    roster.unsubscribed(HERE, &[a]);
    assert_eq!(roster.len(), 1);
}

#[test]
fn a_channel_of_a_slot_that_nobody_serves_waits_for_a_home() {
    let mut roster = Roster::new(Arc::default(), LINGER);
    let a = channel("a");
    let mut told = wait(roster.want(&a, worker(0), true));
    assert!(roster.subscribe(HERE, 9).is_empty());
    roster.rehome(with_there(&[]));
    assert_eq!(roster.subscribe(HERE, 9), *from_ref(&a));
    roster.subscribed(HERE, &[a], Tick(0));
    assert!(is_told(&mut told));
}
