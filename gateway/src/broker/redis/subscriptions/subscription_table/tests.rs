use super::*;
use crate::{
    broker::redis::{
        schema::slot::SLOTS,
        servers::topology::{Endpoint, SlotReport},
    },
    testing::fixtures::{channel, worker},
};
use futures_util::FutureExt as _;
use gateway_core::model::Epoch;
use std::slice::from_ref;

const LINGER: Duration = Duration::from_secs(2);
const HERE: Master = Master(0);

fn table() -> SubscriptionTable {
    SubscriptionTable::new(Arc::new(Topology::whole(HERE)), LINGER)
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
fn subscribed(name: &str) -> (SubscriptionTable, ChannelName) {
    let (mut table, channel) = (table(), channel(name));
    let mut told = wait(table.want(&channel, worker(0), true));
    assert_eq!(table.subscribe(HERE, 10), from_ref(&channel));
    table.subscribed(HERE, from_ref(&channel), Tick(0));
    assert!(is_told(&mut told));
    (table, channel)
}

// NL-3.1
#[test]
fn who_waits_is_told_when_redis_has_confirmed_and_not_before() {
    let (mut table, a) = (table(), channel("a"));
    let mut first = wait(table.want(&a, worker(0), true));
    let mut second = wait(table.want(&a, worker(1), true));
    assert_eq!(table.subscribe(HERE, 10), *from_ref(&a));
    assert!(table.subscribe(HERE, 10).is_empty(), "once");
    let mut third = wait(table.want(&a, worker(2), true));
    assert!(!is_told(&mut first) && !is_told(&mut second) && !is_told(&mut third));
    assert!(table.subscribed(HERE, from_ref(&a), Tick(0)).is_empty(), "nothing was lost before the first subscription");
    assert!(is_told(&mut first) && is_told(&mut second) && is_told(&mut third));
    assert!(matches!(table.want(&a, worker(3), true), Wanted::Subscribed));
    let (_, workers) = table.route("a").expect("routed");
    assert_eq!(workers.iter().count(), 4);
}

#[test]
fn what_nobody_needs_lingers_and_is_then_forgotten() {
    let (mut table, a) = subscribed("a");
    table.drop_worker(&a, worker(0), Tick(1000));
    assert!(table.route("a").is_none(), "nobody gets what still comes");
    assert!(table.unsubscribe(HERE, 10, Tick(2999)).is_empty());
    assert_eq!(table.unsubscribe(HERE, 10, Tick(3000)), *from_ref(&a));
    table.unsubscribed(HERE, &[a]);
    assert_eq!(table.len(), 0);
}

#[test]
fn who_comes_back_in_time_finds_the_subscription() {
    let (mut table, a) = subscribed("a");
    table.drop_worker(&a, worker(0), Tick(1000));
    assert!(matches!(table.want(&a, worker(1), true), Wanted::Subscribed));
    assert!(table.unsubscribe(HERE, 10, Tick(9000)).is_empty());
    table.drop_worker(&a, worker(1), Tick(9500));
    assert!(table.unsubscribe(HERE, 10, Tick(9600)).is_empty(), "the delay begins anew");
    assert_eq!(table.unsubscribe(HERE, 10, Tick(11_500)), [a]);
}

// NL-3.2
#[test]
fn who_comes_while_redis_is_told_to_forget_waits_for_a_new_subscription() {
    let (mut table, a) = subscribed("a");
    table.drop_worker(&a, worker(0), Tick(0));
    assert_eq!(table.unsubscribe(HERE, 10, Tick(2000)), *from_ref(&a));
    let mut told = wait(table.want(&a, worker(1), true));
    assert!(table.subscribe(HERE, 10).is_empty(), "not before the confirmation");
    table.unsubscribed(HERE, from_ref(&a));
    assert_eq!(table.subscribe(HERE, 10), *from_ref(&a));
    assert!(!is_told(&mut told));
    table.subscribed(HERE, &[a], Tick(2000));
    assert!(is_told(&mut told));
}

#[test]
fn who_leaves_before_the_confirmation_leaves_a_lingering_subscription() {
    let (mut table, a) = (table(), channel("a"));
    let _told = wait(table.want(&a, worker(0), true));
    assert_eq!(table.subscribe(HERE, 10), *from_ref(&a));
    table.drop_worker(&a, worker(0), Tick(0));
    table.subscribed(HERE, from_ref(&a), Tick(100));
    assert_eq!(table.unsubscribe(HERE, 10, Tick(2100)), [a]);
    let b = channel("b");
    let _told = wait(table.want(&b, worker(0), true));
    table.drop_worker(&b, worker(0), Tick(0));
    assert!(table.subscribe(HERE, 10).is_empty(), "Redis need not hear of it");
}

// NL-3.3
#[test]
fn after_a_broken_connection_all_that_is_needed_is_wanted_and_checked() {
    let (mut table, a) = subscribed("a");
    let (lingering, unkept, waiting) = (channel("lingering"), channel("unkept"), channel("waiting"));
    for (name, kept) in [(&lingering, true), (&unkept, false)] {
        table.want(name, worker(1), kept);
    }
    let names = table.subscribe(HERE, 10);
    table.subscribed(HERE, &names, Tick(0));
    table.drop_worker(&lingering, worker(1), Tick(0));
    let mut told = wait(table.want(&waiting, worker(0), true));
    table.subscribe(HERE, 10);
    table.disconnected(HERE);
    let mut again = table.subscribe(HERE, 10);
    again.sort();
    assert_eq!(again, [a.clone(), unkept, waiting], "what lingered is gone");
    assert!(!is_told(&mut told));
    assert_eq!(
        table.subscribed(HERE, &again, Tick(10)),
        *from_ref(&a),
        "only what was relied on and is kept can have lost something that can be read"
    );
    assert!(is_told(&mut told));
    table.disconnected(HERE);
    table.disconnected(HERE);
    let again = table.subscribe(HERE, 10);
    assert!(table.subscribed(HERE, &again, Tick(20)).contains(&a), "two breaks in a row are one");
    assert_eq!(table.kept().len(), 2);
}

// NL-3.1
#[test]
fn a_confirmation_of_an_earlier_connection_counts_for_nothing() {
    let (mut table, a) = (table(), channel("a"));
    let mut told = wait(table.want(&a, worker(0), true));
    let names = table.subscribe(HERE, 10);
    table.disconnected(HERE);
    table.subscribed(HERE, &names, Tick(0));
    assert!(!is_told(&mut told));
    assert_eq!(table.subscribe(HERE, 10), [a], "it is asked for again");
}

#[test]
fn chunks_are_bounded() {
    let mut table = table();
    for number in 0..25 {
        table.want(&channel(&format!("c{number}")), worker(0), true);
    }
    let sizes: Vec<_> = std::iter::repeat_with(|| table.subscribe(HERE, 10).len()).take(4).collect();
    assert_eq!(sizes, [10, 10, 5, 0]);
}

fn at(offset: u64) -> Position {
    Position { epoch: Epoch::parse("epoch001").expect("valid"), offset }
}

/// After a doubt the channel is told again and looked at.
fn is_renewed(table: &mut SubscriptionTable, channel: &ChannelName) -> bool {
    let names = table.subscribe(HERE, 10);
    assert!(names.is_empty() || names == *from_ref(channel));
    table.subscribed(HERE, &names, Tick(0)) == names && !names.is_empty()
}

// NL-6.3
#[test]
fn what_was_acknowledged_has_to_come_or_the_channel_is_subscribed_to_again() {
    let (mut table, a) = subscribed("a");
    let (_, before) = table.kept().pop().expect("kept");
    table.owe(&a, at(1), Tick(0));
    table.owe(&a, at(2), Tick(1000));
    assert_eq!(table.overdue(Tick(1999)), 0);
    assert!(table.is_unbroken(&a, before));
    assert_eq!(table.overdue(Tick(2000)), 1);
    assert!(!table.is_unbroken(&a, before), "what was seen before says nothing any more");
    assert!(table.kept().is_empty());
    assert!(is_renewed(&mut table, &a));
    assert!(table.kept().iter().all(|(_, incarnation)| *incarnation != before));
    assert_eq!(table.overdue(Tick(9000)), 0, "once");
    assert!(!is_renewed(&mut table, &a));
}

#[test]
fn what_came_is_owed_no_more() {
    let (mut table, a) = subscribed("a");
    for (acknowledged, came) in [(1, Some(1)), (2, Some(3)), (3, None)] {
        table.owe(&a, at(acknowledged), Tick(0));
        assert!(table.deliver(HERE, "a", came.map(at)).is_some());
    }
    assert_eq!(table.overdue(Tick(2000)), 0);
    assert!(table.owing.is_empty());
}

#[test]
fn a_channel_that_is_slow_has_time_as_long_as_something_comes() {
    let (mut table, a) = subscribed("a");
    table.owe(&a, at(9), Tick(0));
    for (second, offset) in [(2, 5), (4, 7)] {
        table.deliver(HERE, "a", Some(at(offset)));
        table.deliver(HERE, "a", None);
        assert_eq!(table.overdue(Tick(1000 * second)), 0);
    }
    assert_eq!(table.overdue(Tick(6000)), 1, "the last two never came");
}

#[test]
fn nothing_is_owed_to_channels_that_are_not_relied_on() {
    let (mut table, unkept, waiting) = (table(), channel("unkept"), channel("waiting"));
    table.want(&unkept, worker(0), false);
    let names = table.subscribe(HERE, 10);
    table.subscribed(HERE, &names, Tick(0));
    table.want(&waiting, worker(0), true);
    for name in [&unkept, &waiting, &channel("unknown")] {
        table.owe(name, at(1), Tick(0));
    }
    assert!(table.owing.is_empty());
}

#[test]
fn one_entry_for_each_channel_is_remembered_however_much_is_acknowledged() {
    let (mut table, a) = subscribed("a");
    for round in 0..100 {
        table.owe(&a, at(2 * round + 1), Tick(10 * round));
        table.deliver(HERE, "a", Some(at(2 * round + 1)));
        table.owe(&a, at(2 * round + 2), Tick(10 * round));
    }
    assert_eq!(table.owing.len(), 1);
}

#[test]
fn a_doubted_channel_that_nobody_needs_any_more_lingers() {
    let (mut table, a) = subscribed("a");
    table.doubt(&a);
    table.doubt(&a);
    table.drop_worker(&a, worker(0), Tick(0));
    assert!(table.subscribe(HERE, 10).is_empty());
    assert_eq!(table.unsubscribe(HERE, 10, Tick(2000)), *from_ref(&a), "Redis still has it");
    table.unsubscribed(HERE, &[a]);
    assert_eq!(table.len(), 0);
}

#[test]
fn who_comes_to_a_doubted_channel_waits_and_a_broken_connection_ends_the_doubt() {
    let (mut table, a) = subscribed("a");
    table.doubt(&a);
    let mut told = wait(table.want(&a, worker(1), true));
    table.disconnected(HERE);
    assert!(!is_told(&mut told));
    assert!(is_renewed(&mut table, &a));
    assert!(is_told(&mut told));
    assert!(!is_renewed(&mut table, &a));
}

#[test]
fn who_comes_back_to_a_doubted_channel_waits_as_well() {
    let (mut table, a) = subscribed("a");
    table.doubt(&a);
    table.drop_worker(&a, worker(0), Tick(0));
    assert!(table.subscribe(HERE, 10).is_empty(), "nobody needs it");
    let mut told = wait(table.want(&a, worker(1), true));
    assert!(!is_told(&mut told));
    assert!(is_renewed(&mut table, &a));
    assert!(is_told(&mut told));
}

const THERE: Master = Master(1);

/// The slots of these channels are served there, all others here.
fn with_there(names: &[&str]) -> Arc<Topology> {
    let place = |port, epoch, slots: Vec<_>| SlotReport::new(Endpoint { host: "h".into(), port }, epoch, slots);
    let there = names.iter().map(|name| slot(&channel(name)).0).map(|slot| (slot, slot)).collect();
    let claims = vec![place(0, 1, vec![(0, SLOTS - 1)]), place(1, 2, there)];
    Arc::new(Topology::merge(claims, |endpoint| Some(Master(endpoint.port.into()))))
}

/// A roster with two channels, each subscribed to at its own home.
fn two_homes() -> (SubscriptionTable, ChannelName, ChannelName) {
    let (mut table, a, b) = (SubscriptionTable::new(with_there(&["b"]), LINGER), channel("a"), channel("b"));
    for name in [&a, &b] {
        table.want(name, worker(0), true);
    }
    assert_eq!((table.subscribe(HERE, 9), table.subscribe(THERE, 9)), (vec![a.clone()], vec![b.clone()]));
    table.subscribed(HERE, from_ref(&a), Tick(0));
    table.subscribed(THERE, from_ref(&b), Tick(0));
    (table, a, b)
}

// NL-3.4
#[test]
fn each_master_is_told_of_its_own_channels() {
    let (mut table, a, b) = two_homes();
    assert!(table.deliver(HERE, "a", None).is_some() && table.deliver(THERE, "b", None).is_some());
    assert!(table.deliver(THERE, "a", None).is_none(), "what another master announces is not the channel's");
    table.disconnected(THERE);
    assert!(table.subscribe(HERE, 9).is_empty());
    assert_eq!(table.subscribe(THERE, 9), *from_ref(&b));
    assert_eq!(table.subscribed(HERE, from_ref(&b), Tick(0)), [], "only its home can confirm it");
    assert_eq!(table.subscribed(THERE, &[b], Tick(0)), [channel("b")]);
    assert_eq!(table.kept_in(&BTreeSet::from([slot(&a)])), [a]);
}

// NL-3.5
#[test]
fn a_channel_whose_slot_has_moved_is_wanted_at_its_new_home_and_checked() {
    let (mut table, a, b) = two_homes();
    table.rehome(with_there(&["a", "b"]));
    assert!(table.told(THERE).notified().now_or_never().is_some());
    let mut waits = wait(table.want(&a, worker(1), true));
    assert!(table.deliver(HERE, "a", None).is_none(), "what its old home still announces has no place in the order");
    assert!(table.subscribe(HERE, 9).is_empty());
    assert_eq!(table.subscribe(THERE, 9), *from_ref(&a), "the other stays as it was");
    assert_eq!(table.subscribed(THERE, from_ref(&a), Tick(0)), *from_ref(&a));
    assert!(is_told(&mut waits));
    table.rehome(with_there(&["a", "b"]));
    assert!(table.subscribe(THERE, 9).is_empty(), "{b} and {a} have not moved");
}

// NL-3.5
#[test]
fn a_subscription_that_its_master_ended_is_wanted_again_and_checked() {
    let (mut table, a, b) = two_homes();
    assert!(!table.ended(THERE, "a"), "it was not theirs");
    assert!(table.ended(HERE, "a"));
    assert!(!table.ended(HERE, "a"), "once");
    assert_eq!(table.subscribe(HERE, 9), *from_ref(&a));
    table.refused(HERE, from_ref(&a));
    assert_eq!(table.subscribe(HERE, 9), *from_ref(&a), "who is refused asks again");
    assert_eq!(table.subscribed(HERE, from_ref(&a), Tick(0)), [a]);
    table.drop_worker(&b, worker(0), Tick(0));
    assert!(table.ended(THERE, "b"));
    assert!(table.subscribe(THERE, 9).is_empty(), "nobody needs it");
    assert_eq!(table.len(), 1);
}

#[test]
fn an_end_that_was_asked_for_is_no_loss() {
    let (mut table, a, _) = two_homes();
    table.drop_worker(&a, worker(0), Tick(0));
    assert_eq!(table.unsubscribe(HERE, 9, Tick(2000)), *from_ref(&a));
    assert!(!table.ended(HERE, "a"));
    table.unsubscribed(HERE, &[a]);
    assert_eq!(table.len(), 1);
}

#[test]
fn a_channel_of_a_slot_that_nobody_serves_waits_for_a_home() {
    let mut table = SubscriptionTable::new(Arc::default(), LINGER);
    let a = channel("a");
    let mut told = wait(table.want(&a, worker(0), true));
    assert!(table.subscribe(HERE, 9).is_empty());
    table.rehome(with_there(&[]));
    assert_eq!(table.subscribe(HERE, 9), *from_ref(&a));
    table.subscribed(HERE, &[a], Tick(0));
    assert!(is_told(&mut told));
}
