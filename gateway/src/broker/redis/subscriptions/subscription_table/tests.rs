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

const UNSUBSCRIBE_DELAY: Duration = Duration::from_secs(2);
const HERE: Master = Master(0);

fn table() -> SubscriptionTable {
    SubscriptionTable::new(Arc::new(Topology::single(HERE)), UNSUBSCRIBE_DELAY)
}

fn is_confirmed(wait: &mut oneshot::Receiver<()>) -> bool {
    wait.try_recv().is_ok()
}

fn wait(confirmation: Confirmation) -> oneshot::Receiver<()> {
    match confirmation {
        Confirmation::Pending(wait) => wait,
        Confirmation::Confirmed => panic!("subscribed already"),
    }
}

/// A table with one channel, to which the first worker is subscribed.
fn subscribed(name: &str) -> (SubscriptionTable, ChannelName) {
    let (mut table, channel) = (table(), channel(name));
    let mut waiter = wait(table.add_worker(&channel, worker(0), true));
    assert_eq!(table.take_to_subscribe(HERE, 10), from_ref(&channel));
    table.subscribed(HERE, from_ref(&channel), Tick(0));
    assert!(is_confirmed(&mut waiter));
    (table, channel)
}

// NL-3.1
#[test]
fn a_waiter_resolves_only_after_the_confirmation() {
    let (mut table, a) = (table(), channel("a"));
    let mut first = wait(table.add_worker(&a, worker(0), true));
    let mut second = wait(table.add_worker(&a, worker(1), true));
    assert_eq!(table.take_to_subscribe(HERE, 10), *from_ref(&a));
    assert!(table.take_to_subscribe(HERE, 10).is_empty(), "once");
    let mut third = wait(table.add_worker(&a, worker(2), true));
    assert!(!is_confirmed(&mut first) && !is_confirmed(&mut second) && !is_confirmed(&mut third));
    assert!(table.subscribed(HERE, from_ref(&a), Tick(0)).is_empty(), "nothing was lost before the first subscription");
    assert!(is_confirmed(&mut first) && is_confirmed(&mut second) && is_confirmed(&mut third));
    assert!(matches!(table.add_worker(&a, worker(3), true), Confirmation::Confirmed));
    let (_, workers) = table.route("a").expect("routed");
    assert_eq!(workers.iter().count(), 4);
}

#[test]
fn an_unneeded_channel_lingers_and_is_then_unsubscribed() {
    let (mut table, a) = subscribed("a");
    table.remove_worker(&a, worker(0), Tick(1000));
    assert!(table.route("a").is_none(), "late deliveries reach no worker");
    assert!(table.take_to_unsubscribe(HERE, 10, Tick(2999)).is_empty());
    assert_eq!(table.take_to_unsubscribe(HERE, 10, Tick(3000)), *from_ref(&a));
    table.unsubscribed(HERE, &[a]);
    assert_eq!(table.len(), 0);
}

#[test]
fn a_worker_that_returns_in_time_finds_the_subscription() {
    let (mut table, a) = subscribed("a");
    table.remove_worker(&a, worker(0), Tick(1000));
    assert!(matches!(table.add_worker(&a, worker(1), true), Confirmation::Confirmed));
    assert!(table.take_to_unsubscribe(HERE, 10, Tick(9000)).is_empty());
    table.remove_worker(&a, worker(1), Tick(9500));
    assert!(table.take_to_unsubscribe(HERE, 10, Tick(9600)).is_empty(), "the delay starts again");
    assert_eq!(table.take_to_unsubscribe(HERE, 10, Tick(11_500)), [a]);
}

// NL-3.2
#[test]
fn a_worker_that_comes_during_an_unsubscribe_waits_for_a_new_subscription() {
    let (mut table, a) = subscribed("a");
    table.remove_worker(&a, worker(0), Tick(0));
    assert_eq!(table.take_to_unsubscribe(HERE, 10, Tick(2000)), *from_ref(&a));
    let mut waiter = wait(table.add_worker(&a, worker(1), true));
    assert!(table.take_to_subscribe(HERE, 10).is_empty(), "not before the confirmation");
    table.unsubscribed(HERE, from_ref(&a));
    assert_eq!(table.take_to_subscribe(HERE, 10), *from_ref(&a));
    assert!(!is_confirmed(&mut waiter));
    table.subscribed(HERE, &[a], Tick(2000));
    assert!(is_confirmed(&mut waiter));
}

#[test]
fn a_worker_that_leaves_before_the_confirmation_leaves_a_lingering_subscription() {
    let (mut table, a) = (table(), channel("a"));
    let _waiter = wait(table.add_worker(&a, worker(0), true));
    assert_eq!(table.take_to_subscribe(HERE, 10), *from_ref(&a));
    table.remove_worker(&a, worker(0), Tick(0));
    table.subscribed(HERE, from_ref(&a), Tick(100));
    assert_eq!(table.take_to_unsubscribe(HERE, 10, Tick(2100)), [a]);
    let b = channel("b");
    let _waiter = wait(table.add_worker(&b, worker(0), true));
    table.remove_worker(&b, worker(0), Tick(0));
    assert!(table.take_to_subscribe(HERE, 10).is_empty(), "Redis never learns of it");
}

// NL-3.3
#[test]
fn after_a_broken_connection_every_needed_channel_is_subscribed_again_and_checked() {
    let (mut table, a) = subscribed("a");
    let (unneeded, without_history, waiting) = (channel("unneeded"), channel("without_history"), channel("waiting"));
    for (name, has_history) in [(&unneeded, true), (&without_history, false)] {
        table.add_worker(name, worker(1), has_history);
    }
    let names = table.take_to_subscribe(HERE, 10);
    table.subscribed(HERE, &names, Tick(0));
    table.remove_worker(&unneeded, worker(1), Tick(0));
    let mut waiter = wait(table.add_worker(&waiting, worker(0), true));
    table.take_to_subscribe(HERE, 10);
    table.disconnected(HERE);
    let mut again = table.take_to_subscribe(HERE, 10);
    again.sort();
    assert_eq!(again, [a.clone(), waiting.clone(), without_history], "the channel that no worker needs is gone");
    assert!(!is_confirmed(&mut waiter));
    assert_eq!(
        table.subscribed(HERE, &again, Tick(10)),
        *from_ref(&a),
        "only a subscribed channel with a history can have lost publications that can be read"
    );
    assert!(is_confirmed(&mut waiter));
    table.disconnected(HERE);
    table.disconnected(HERE);
    let again = table.take_to_subscribe(HERE, 10);
    assert!(table.subscribed(HERE, &again, Tick(20)).contains(&a), "two breaks in a row count once");
    assert_eq!(table.with_history().len(), 2);
}

// NL-3.1
#[test]
fn a_confirmation_of_an_earlier_connection_is_ignored() {
    let (mut table, a) = (table(), channel("a"));
    let mut waiter = wait(table.add_worker(&a, worker(0), true));
    let names = table.take_to_subscribe(HERE, 10);
    table.disconnected(HERE);
    table.subscribed(HERE, &names, Tick(0));
    assert!(!is_confirmed(&mut waiter));
    assert_eq!(table.take_to_subscribe(HERE, 10), [a], "it is subscribed again");
}

#[test]
fn chunks_are_bounded() {
    let mut table = table();
    for number in 0..25 {
        table.add_worker(&channel(&format!("c{number}")), worker(0), true);
    }
    let sizes: Vec<_> = std::iter::repeat_with(|| table.take_to_subscribe(HERE, 10).len()).take(4).collect();
    assert_eq!(sizes, [10, 10, 5, 0]);
}

fn at(offset: u64) -> Position {
    Position { epoch: Epoch::parse("epoch001").expect("valid"), offset }
}

/// Subscribes where the table requires it. Returns whether the channel was subscribed again and must then be checked.
fn is_renewed(table: &mut SubscriptionTable, channel: &ChannelName) -> bool {
    let names = table.take_to_subscribe(HERE, 10);
    assert!(names.is_empty() || names == *from_ref(channel));
    table.subscribed(HERE, &names, Tick(0)) == names && !names.is_empty()
}

// NL-6.3
#[test]
fn a_missing_delivery_makes_the_channel_subscribe_again() {
    let (mut table, a) = subscribed("a");
    let (_, before) = table.with_history().pop().expect("kept");
    table.expect_delivery(&a, at(1), Tick(0));
    table.expect_delivery(&a, at(2), Tick(1000));
    assert_eq!(table.resubscribe_overdue(Tick(1999)), 0);
    assert!(table.is_unbroken(&a, before));
    assert_eq!(table.resubscribe_overdue(Tick(2000)), 1);
    assert!(!table.is_unbroken(&a, before), "an earlier top proves nothing any more");
    assert!(table.with_history().is_empty());
    assert!(is_renewed(&mut table, &a));
    assert!(table.with_history().iter().all(|(_, number)| *number != before));
    assert_eq!(table.resubscribe_overdue(Tick(9000)), 0, "once");
    assert!(!is_renewed(&mut table, &a));
}

#[test]
fn a_delivery_ends_its_expectation() {
    let (mut table, a) = subscribed("a");
    for (acknowledged, came) in [(1, Some(1)), (2, Some(3)), (3, None)] {
        table.expect_delivery(&a, at(acknowledged), Tick(0));
        assert!(table.deliver(HERE, "a", came.map(at)).is_some());
    }
    assert_eq!(table.resubscribe_overdue(Tick(2000)), 0);
    assert!(table.expected.is_empty());
}

#[test]
fn a_slow_channel_gets_more_time_while_publications_arrive() {
    let (mut table, a) = subscribed("a");
    table.expect_delivery(&a, at(9), Tick(0));
    for (second, offset) in [(2, 5), (4, 7)] {
        table.deliver(HERE, "a", Some(at(offset)));
        table.deliver(HERE, "a", None);
        assert_eq!(table.resubscribe_overdue(Tick(1000 * second)), 0);
    }
    assert_eq!(table.resubscribe_overdue(Tick(6000)), 1, "the last two never arrived");
}

#[test]
fn only_subscribed_channels_with_a_history_expect_deliveries() {
    let (mut table, without_history, waiting) = (table(), channel("without_history"), channel("waiting"));
    table.add_worker(&without_history, worker(0), false);
    let names = table.take_to_subscribe(HERE, 10);
    table.subscribed(HERE, &names, Tick(0));
    table.add_worker(&waiting, worker(0), true);
    for name in [&without_history, &waiting, &channel("unknown")] {
        table.expect_delivery(name, at(1), Tick(0));
    }
    assert!(table.expected.is_empty());
}

#[test]
fn each_channel_has_at_most_one_expectation() {
    let (mut table, a) = subscribed("a");
    for round in 0..100 {
        table.expect_delivery(&a, at(2 * round + 1), Tick(10 * round));
        table.deliver(HERE, "a", Some(at(2 * round + 1)));
        table.expect_delivery(&a, at(2 * round + 2), Tick(10 * round));
    }
    assert_eq!(table.expected.len(), 1);
}

#[test]
fn an_unneeded_channel_that_should_resubscribe_lingers() {
    let (mut table, a) = subscribed("a");
    table.resubscribe(&a);
    table.resubscribe(&a);
    table.remove_worker(&a, worker(0), Tick(0));
    assert!(table.take_to_subscribe(HERE, 10).is_empty());
    assert_eq!(table.take_to_unsubscribe(HERE, 10, Tick(2000)), *from_ref(&a), "Redis still has it");
    table.unsubscribed(HERE, &[a]);
    assert_eq!(table.len(), 0);
}

#[test]
fn a_worker_waits_for_the_new_subscription_also_over_a_broken_connection() {
    let (mut table, a) = subscribed("a");
    table.resubscribe(&a);
    let mut waiter = wait(table.add_worker(&a, worker(1), true));
    table.disconnected(HERE);
    assert!(!is_confirmed(&mut waiter));
    assert!(is_renewed(&mut table, &a));
    assert!(is_confirmed(&mut waiter));
    assert!(!is_renewed(&mut table, &a));
}

#[test]
fn a_worker_that_returns_waits_for_the_new_subscription() {
    let (mut table, a) = subscribed("a");
    table.resubscribe(&a);
    table.remove_worker(&a, worker(0), Tick(0));
    assert!(table.take_to_subscribe(HERE, 10).is_empty(), "nobody needs it");
    let mut waiter = wait(table.add_worker(&a, worker(1), true));
    assert!(!is_confirmed(&mut waiter));
    assert!(is_renewed(&mut table, &a));
    assert!(is_confirmed(&mut waiter));
}

const THERE: Master = Master(1);

/// A slot map in which THERE serves the slots of these channels and HERE serves all others.
fn with_there(names: &[&str]) -> Arc<Topology> {
    let place = |port, epoch, slots: Vec<_>| SlotReport::new(Endpoint { host: "h".into(), port }, epoch, slots);
    let there = names.iter().map(|name| slot(&channel(name)).0).map(|slot| (slot, slot)).collect();
    let reports = vec![place(0, 1, vec![(0, SLOTS - 1)]), place(1, 2, there)];
    Arc::new(Topology::merge(reports, |endpoint| Some(Master(endpoint.port.into()))))
}

/// A table with two channels, each subscribed at its own owner.
fn two_owners() -> (SubscriptionTable, ChannelName, ChannelName) {
    let (mut table, a, b) = (SubscriptionTable::new(with_there(&["b"]), UNSUBSCRIBE_DELAY), channel("a"), channel("b"));
    for name in [&a, &b] {
        table.add_worker(name, worker(0), true);
    }
    assert_eq!((table.take_to_subscribe(HERE, 9), table.take_to_subscribe(THERE, 9)), (vec![a.clone()], vec![b.clone()]));
    table.subscribed(HERE, from_ref(&a), Tick(0));
    table.subscribed(THERE, from_ref(&b), Tick(0));
    (table, a, b)
}

// NL-3.4
#[test]
fn each_master_gets_only_its_own_channels() {
    let (mut table, a, b) = two_owners();
    assert!(table.deliver(HERE, "a", None).is_some() && table.deliver(THERE, "b", None).is_some());
    assert!(table.deliver(THERE, "a", None).is_none(), "messages of another master are ignored");
    table.disconnected(THERE);
    assert!(table.take_to_subscribe(HERE, 9).is_empty());
    assert_eq!(table.take_to_subscribe(THERE, 9), *from_ref(&b));
    assert_eq!(table.subscribed(HERE, from_ref(&b), Tick(0)), [], "only its owner can confirm it");
    assert_eq!(table.subscribed(THERE, &[b], Tick(0)), [channel("b")]);
    assert_eq!(table.with_history_in(&BTreeSet::from([slot(&a)])), [a]);
}

// NL-3.5
#[test]
fn a_moved_channel_is_subscribed_at_its_new_owner_and_checked() {
    let (mut table, a, b) = two_owners();
    table.apply_topology(with_there(&["a", "b"]));
    assert!(table.changes(THERE).notified().now_or_never().is_some());
    let mut waits = wait(table.add_worker(&a, worker(1), true));
    assert!(table.deliver(HERE, "a", None).is_none(), "late messages of its old owner are ignored");
    assert!(table.take_to_subscribe(HERE, 9).is_empty());
    assert_eq!(table.take_to_subscribe(THERE, 9), *from_ref(&a), "the other stays as it was");
    assert_eq!(table.subscribed(THERE, from_ref(&a), Tick(0)), *from_ref(&a));
    assert!(is_confirmed(&mut waits));
    table.apply_topology(with_there(&["a", "b"]));
    assert!(table.take_to_subscribe(THERE, 9).is_empty(), "{b} and {a} have not moved");
}

// NL-3.5
#[test]
fn a_subscription_that_its_master_ended_is_made_again_and_checked() {
    let (mut table, a, b) = two_owners();
    assert!(!table.ended(THERE, "a"), "the other master had no subscription");
    assert!(table.ended(HERE, "a"));
    assert!(!table.ended(HERE, "a"), "once");
    assert_eq!(table.take_to_subscribe(HERE, 9), *from_ref(&a));
    table.not_confirmed(HERE, from_ref(&a));
    assert_eq!(table.take_to_subscribe(HERE, 9), *from_ref(&a), "a refused subscription is tried again");
    assert_eq!(table.subscribed(HERE, from_ref(&a), Tick(0)), [a]);
    table.remove_worker(&b, worker(0), Tick(0));
    assert!(table.ended(THERE, "b"));
    assert!(table.take_to_subscribe(THERE, 9).is_empty(), "nobody needs it");
    assert_eq!(table.len(), 1);
}

#[test]
fn a_requested_end_is_no_loss() {
    let (mut table, a, _) = two_owners();
    table.remove_worker(&a, worker(0), Tick(0));
    assert_eq!(table.take_to_unsubscribe(HERE, 9, Tick(2000)), *from_ref(&a));
    assert!(!table.ended(HERE, "a"));
    table.unsubscribed(HERE, &[a]);
    assert_eq!(table.len(), 1);
}

#[test]
fn a_channel_of_an_unserved_slot_waits_for_an_owner() {
    let mut table = SubscriptionTable::new(Arc::default(), UNSUBSCRIBE_DELAY);
    let a = channel("a");
    let mut waiter = wait(table.add_worker(&a, worker(0), true));
    assert!(table.take_to_subscribe(HERE, 9).is_empty());
    table.apply_topology(with_there(&[]));
    assert_eq!(table.take_to_subscribe(HERE, 9), *from_ref(&a));
    table.subscribed(HERE, &[a], Tick(0));
    assert!(is_confirmed(&mut waiter));
}
