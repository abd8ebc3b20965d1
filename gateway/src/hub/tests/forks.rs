//! When a stream goes on in a new timeline, or was lost in part.

use super::*;
use crate::broker::Delivery;
use gateway_core::model::{Epoch, Publication, Recovery};

const STREAM_A: &str = "stream:a";

fn new_epoch() -> Epoch {
    Epoch::parse("anewtime").expect("valid")
}

/// A stream that was left at `shared` and goes on: as a page after `after`, with texts that say their offsets.
async fn forked(world: &World, shared: u64, after: u64, top: u64) -> Page {
    let channel = World::channel(STREAM_A);
    let page = world.read(&channel, Span::After(0)).await.expect("in memory");
    let publications = (after + 1..=top).map(|offset| successor(&page.publications[0], offset)).collect();
    Page { epoch: new_epoch(), top, forks: vec![Position { epoch: page.epoch, offset: shared }], publications }
}

fn successor(like: &Publication, offset: u64) -> Arc<Publication> {
    let data = Data::parse(&serde_json::value::to_raw_value(&offset.to_string()).expect("a string")).expect("shallow");
    Arc::new(Publication { position: Some(Position { epoch: new_epoch(), offset }), data, ..like.clone() })
}

impl World {
    /// The channel's slot and its life.
    fn slot(&self) -> (SlotKey, u32) {
        let mut state = self.hub.state.borrow_mut();
        let key = state.channels[&World::channel(STREAM_A)];
        (key, state.slot(key).expect("open").life)
    }

    fn caught(&self, page: &Page) {
        let (key, life) = self.slot();
        self.hub.caught(key, life, page.clone());
    }

    async fn subscribe_as(&self, side: Side) -> Registered {
        let connection = self.connect();
        self.join_as(&connection, STREAM_A, side).await;
        assert_eq!(self.go_live(&connection), Live::Live);
        connection
    }

    fn go_live(&self, connection: &Registered) -> Live {
        self.hub.go_live(connection.key(), &World::channel(STREAM_A))
    }

    /// As a client that was told to begin anew does; answers what it gets at once, if nothing has to be read for that.
    fn again(&self, connection: &Registered, from: Position) -> Option<Vec<u64>> {
        let channel = World::channel(STREAM_A);
        let options = self.hub.parts.namespaces.options(&channel).expect("configured").clone();
        assert!(self.hub.leave(connection.key(), &channel), "services are told that it left, and that it comes back");
        assert!(self.hub.join(connection.key(), &channel, &options, None, Side::Client, false));
        let recover = RecoverFrom { epoch: from.epoch.to_string(), offset: from.offset };
        let start = self.hub.remembered(&channel, &recover, self.hub.parts.limits.page)?;
        assert_eq!((start.answer, start.recovery), (Position { epoch: new_epoch(), ..from }, Recovery::Recovered));
        self.hub.set_cursor(connection.key(), &channel, start.cursor, start.top);
        Some(start.publications.iter().filter_map(|publication| publication.position).map(|at| at.offset).collect())
    }

    fn old_epoch(&self) -> Epoch {
        let mut state = self.hub.state.borrow_mut();
        let key = state.channels[&World::channel(STREAM_A)];
        state.slot(key).and_then(|slot| slot.feed.position()).expect("known").epoch
    }
}

fn told(connection: &Registered) -> bool {
    match &connection.outbox().take_notices()[..] {
        [] => false,
        [Notice::Lost(channel)] => channel.as_str() == STREAM_A,
        other => panic!("{other:?}"),
    }
}

// NL-1.6
#[test]
fn a_server_side_subscription_goes_on_and_any_other_begins_anew() {
    within(limits(), 1000, |world| async move {
        let (client, server) = (world.subscribe_as(Side::Client).await, world.subscribe_as(Side::Server).await);
        let old = world.old_epoch();
        world.publish(STREAM_A, "1").await;
        settle().await;
        world.caught(&forked(&world, 1, 1, 3).await);
        settle().await;
        assert_eq!(received(&server), ["1", "at 1", "2", "3"]);
        assert_eq!(received(&client), ["1"], "it would take the new offset for one of the old epoch");
        assert!(told(&client) && !told(&server));
        assert_eq!(world.hub.metrics().counted(Count::Forks), 1);

        assert_eq!(world.again(&client, Position { epoch: old, offset: 1 }), Some(vec![2, 3]));
        assert_eq!(world.go_live(&client), Live::Live);
        assert_eq!(world.hub.metrics().counted(Count::RecoveriesFromMemory), 1);
        tokio::time::sleep(Duration::from_secs(6)).await;
        let (key, _) = world.slot();
        let mut state = world.hub.state.borrow_mut();
        let slot = state.slot(key).expect("open");
        assert_eq!((slot.recent.len(), slot.ended, slot.attaching), (0, 0, 0), "nobody is on the way any more");
    });
}

#[test]
fn what_waits_is_handed_out_before_the_fork() {
    within(limits(), 1000, |world| async move {
        world.publish(STREAM_A, "1").await;
        let (client, server) = (world.subscribe_as(Side::Client).await, world.subscribe_as(Side::Server).await);
        let page = forked(&world, 2, 2, 3).await;
        let (key, _) = world.slot();
        {
            let mut state = world.hub.state.borrow_mut();
            let old = state.slot(key).and_then(|slot| slot.feed.position()).expect("known").epoch;
            let second = Arc::new(Publication { position: Some(Position { epoch: old, offset: 2 }), ..(*page.publications[0]).clone() });
            let slot = state.slot(key).expect("open");
            slot.feed.offer(&second);
            slot.deliver(second, 8);
            state.pending += 1;
        }
        world.caught(&page);
        // Who comes now has the new timeline already.
        let late = world.connect();
        world.join_as(&late, STREAM_A, Side::Server).await;
        world.hub.set_cursor(late.key(), &World::channel(STREAM_A), Position { epoch: new_epoch(), offset: 3 }, 3);
        assert_eq!(world.go_live(&late), Live::Live);
        settle().await;
        assert_eq!(received(&client).len(), 1);
        assert_eq!(received(&server)[1..], ["at 2", "3"]);
        assert_eq!(received(&late), [""; 0]);
        assert!(told(&client) && !told(&late));
    });
}

#[test]
fn who_is_ahead_of_the_lane_goes_on_from_where_it_is_unless_that_was_lost() {
    for (shared, expected) in [(2, vec!["at 2", "3"]), (1, vec![])] {
        within(limits(), 1000, |world| async move {
            let (first, ahead) = (world.subscribe_as(Side::Server).await, world.connect());
            let old = world.old_epoch();
            world.publish(STREAM_A, "1").await;
            settle().await;
            world.join_as(&ahead, STREAM_A, Side::Server).await;
            world.hub.set_cursor(ahead.key(), &World::channel(STREAM_A), Position { epoch: old, offset: 2 }, 2);
            assert_eq!(world.go_live(&ahead), Live::Live);
            world.caught(&forked(&world, shared, 1, 3).await);
            settle().await;
            assert_eq!(received(&first), ["1", "at 1", "2", "3"]);
            assert_eq!(received(&ahead), expected);
            assert_eq!(told(&ahead), expected.is_empty(), "what it had is another publication now");
        });
    }
}

// NL-1.7
#[test]
fn those_who_begin_anew_are_told_a_few_at_a_time_and_nobody_waits_for_them() {
    within(HubLimits { attach_buffer: 1000, ..limits() }, 1000, |world| async move {
        let mut clients = Vec::new();
        for _ in 0..150 {
            clients.push(world.subscribe_as(Side::Client).await);
        }
        let old = world.old_epoch();
        world.publish(STREAM_A, "1").await;
        settle().await;
        let page = forked(&world, 1, 1, 2).await;
        world.caught(&page);
        for _ in 0..10 {
            settle().await;
        }
        assert!(told(&clients[0]) && !told(&clients[1]), "the first is told at once");
        assert_eq!(world.again(&clients[0], Position { epoch: old, offset: 1 }), Some(vec![2]));
        assert_eq!(world.go_live(&clients[0]), Live::Live);
        received(&clients[0]);

        tokio::time::sleep(Duration::from_millis(500)).await;
        settle().await;
        let moved = 1 + clients[1..].iter().filter(|client| told(client)).count();
        assert!((45..=55).contains(&moved), "{moved} of 100 a second in half of one");
        world.mailbox.deliver(&World::channel(STREAM_A), Delivery::Publication(successor(&page.publications[0], 3)));
        settle().await;
        assert_eq!(received(&clients[0]), ["3"], "it does not wait for the others");
        let last = &clients[149];
        assert_eq!(received(last), ["1"]);
        tokio::time::sleep(Duration::from_secs(2)).await;
        settle().await;
        assert!(told(last));
        assert_eq!(world.again(last, Position { epoch: old, offset: 1 }), Some(vec![2, 3]));
        assert_eq!(world.go_live(last), Live::Live);
    });
}

#[test]
fn a_restart_that_is_due_to_somebody_else_is_not_told() {
    within(HubLimits { restarts: 1, ..limits() }, 1000, |world| async move {
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(world.subscribe_as(Side::Client).await);
        }
        world.publish(STREAM_A, "1").await;
        settle().await;
        world.caught(&forked(&world, 1, 1, 2).await);
        settle().await;
        let gone = clients.remove(1);
        let index = gone.key().index;
        drop(gone);
        let next = world.connect();
        assert_eq!(next.key().index, index);
        world.join_as(&next, STREAM_A, Side::Client).await;
        world.hub.set_cursor(next.key(), &World::channel(STREAM_A), Position { epoch: new_epoch(), offset: 2 }, 2);
        assert_eq!(world.go_live(&next), Live::Live);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(told(&clients[0]) && told(&clients[1]) && !told(&next));
    });
}

#[test]
fn an_attach_meets_a_fork() {
    for side in [Side::Client, Side::Server] {
        within(limits(), 1000, |world| async move {
            let live = world.subscribe_as(side).await;
            world.publish(STREAM_A, "1").await;
            settle().await;
            let attaching = world.connect();
            world.join_as(&attaching, STREAM_A, side).await;
            let page = forked(&world, 1, 1, 2).await;
            world.caught(&page);
            settle().await;
            assert_eq!(world.go_live(&attaching), Live::Behind(1), "its client was told the old epoch");
            let advance = world.hub.advance(attaching.key(), &World::channel(STREAM_A), &page);
            match side {
                Side::Client => assert_eq!(advance, Advance::Lost),
                Side::Server => {
                    assert_eq!(advance, Advance::To(Live::Live));
                    assert_eq!(received(&attaching), ["at 1", "2"]);
                }
            }
            drop((live, attaching));
            tokio::time::sleep(Duration::from_secs(6)).await;
            assert!(world.hub.state.borrow().channels.is_empty());
        });
    }
}

#[test]
fn what_waited_for_those_who_lost_something_reaches_nobody_else() {
    within(limits(), 1000, |world| async move {
        let (lost, next) = (world.subscribe_as(Side::Server).await, world.connect());
        for text in ["one", "two", "three"] {
            world.publish(STREAM_A, text).await;
        }
        settle().await;
        world.join(&next, STREAM_A).await;
        let page = world.read(&World::channel(STREAM_A), Span::After(0)).await.expect("in memory");
        let position = Position { epoch: new_epoch(), offset: 1 };
        {
            let (key, _) = world.slot();
            let mut state = world.hub.state.borrow_mut();
            state.slot(key).expect("open").deliver(page.publications[2].clone(), 8);
            state.pending += 1;
            state.queue(key);
        }
        world.caught(&Page { epoch: position.epoch, top: 1, forks: Vec::new(), publications: Vec::new() });
        world.hub.set_cursor(next.key(), &World::channel(STREAM_A), position, position.offset);
        assert_eq!(world.go_live(&next), Live::Live);
        settle().await;
        assert_eq!(received(&lost), ["one", "two", "three"]);
        assert!(told(&lost));
        assert_eq!(received(&next), [""; 0], "the third was of the timeline that is lost");
        assert_eq!(world.hub.state.borrow().pending, 0);
    });
}

#[test]
fn a_loss_during_a_fork_ends_everybody_once() {
    within(limits(), 1000, |world| async move {
        let mut all = Vec::new();
        for n in 0..7 {
            all.push(world.subscribe_as(if n % 2 == 0 { Side::Server } else { Side::Client }).await);
        }
        world.publish(STREAM_A, "1").await;
        settle().await;
        world.caught(&forked(&world, 1, 1, 2).await);
        world.hub.fan_out_turn();
        let (key, _) = world.slot();
        assert!(world.hub.state.borrow_mut().slot(key).is_some_and(|slot| slot.fan_out.is_some()), "it is under way");
        let third = Epoch::parse("athirdon").expect("valid");
        world.caught(&Page { epoch: third, top: 9, forks: Vec::new(), publications: Vec::new() });
        settle().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(all.iter().all(told), "each once");
        let mut state = world.hub.state.borrow_mut();
        assert_eq!(state.pending, 0);
        let slot = state.slot(key).expect("open");
        assert_eq!((slot.members_timeline, slot.ended), (slot.timeline, 7));
    });
}

#[test]
fn forks_may_follow_each_other_before_anybody_has_crossed() {
    within(limits(), 1000, |world| async move {
        let (client, server) = (world.subscribe_as(Side::Client).await, world.subscribe_as(Side::Server).await);
        world.publish(STREAM_A, "1").await;
        settle().await;
        let second = forked(&world, 1, 1, 2).await;
        world.caught(&second);
        let third = Epoch::parse("athirdon").expect("valid");
        let next = successor(&second.publications[0], 3);
        let next = Arc::new(Publication { position: Some(Position { epoch: third, offset: 3 }), ..(*next).clone() });
        let fork = Position { epoch: new_epoch(), offset: 2 };
        world.caught(&Page { epoch: third, top: 3, forks: vec![fork, second.forks[0]], publications: vec![next] });
        settle().await;
        assert_eq!(received(&server), ["1", "at 1", "2", "at 2", "3"]);
        assert_eq!(received(&client), ["1"]);
        assert!(told(&client));
        let recover = RecoverFrom { epoch: second.forks[0].epoch.to_string(), offset: 1 };
        let start = world.hub.remembered(&World::channel(STREAM_A), &recover, world.hub.page()).expect("both forks are known");
        assert_eq!((start.answer.epoch, start.publications.len()), (third, 2));
    });
}

#[test]
fn the_only_subscriber_of_a_channel_finds_it_again() {
    within(limits(), 1000, |world| async move {
        let client = world.subscribe_as(Side::Client).await;
        let old = world.old_epoch();
        world.publish(STREAM_A, "1").await;
        settle().await;
        let page = forked(&world, 1, 1, 2).await;
        world.caught(&page);
        settle().await;
        assert!(told(&client));
        assert!(world.hub.leave(client.key(), &World::channel(STREAM_A)));
        world.mailbox.deliver(&World::channel(STREAM_A), Delivery::Publication(successor(&page.publications[0], 3)));
        settle().await;
        let recover = RecoverFrom { epoch: old.to_string(), offset: 1 };
        let found = |world: &World| world.hub.remembered(&World::channel(STREAM_A), &recover, world.hub.page()).is_some();
        assert!(found(&world));
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(!found(&world) && world.hub.state.borrow().channels.is_empty(), "it is not expected for ever");
    });
}
