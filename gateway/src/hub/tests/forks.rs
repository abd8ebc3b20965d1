//! Forks, and the loss of part of a history.

use super::*;
use crate::broker::Delivery;
use gateway_core::model::{Epoch, Publication, Recovery};

const STREAM_A: &str = "stream:a";

fn new_epoch() -> Epoch {
    Epoch::parse("anewtime").expect("valid")
}

/// A page of a history that forked at offset `shared`. It holds the publications from `after` + 1 to `top`, whose texts are their offsets.
pub(super) async fn forked(world: &World, shared: u64, after: u64, top: u64) -> Page {
    let channel = World::channel(STREAM_A);
    let page = world.read(&channel, ReadRange::After(0)).await.expect("in memory");
    let publications = (after + 1..=top).map(|offset| successor(&page.publications[0], offset)).collect();
    Page { epoch: new_epoch(), top, forks: vec![Position { epoch: page.epoch, offset: shared }], publications }
}

fn successor(like: &Publication, offset: u64) -> Arc<Publication> {
    let data = Data::parse(&serde_json::value::to_raw_value(&offset.to_string()).expect("a string")).expect("shallow");
    Arc::new(Publication { position: Some(Position { epoch: new_epoch(), offset }), content: data.into(), ..like.clone() })
}

impl World {
    /// The channel's key and number.
    fn local_channel(&self) -> (ChannelKey, u64) {
        let mut state = self.hub.state.borrow_mut();
        let key = state.channels[&World::channel(STREAM_A)];
        (key, state.local_channel(key).expect("open").number)
    }

    pub(super) fn apply_page(&self, page: &Page) {
        let (key, number) = self.local_channel();
        self.hub.apply_page(key, number, page.clone());
    }

    async fn subscribe_as(&self, side: SubscriptionSide) -> Registration {
        let connection = self.connect();
        self.join_as(&connection, STREAM_A, side).await;
        assert_eq!(self.go_live(&connection), LiveStatus::Live);
        connection
    }

    fn go_live(&self, connection: &Registration) -> LiveStatus {
        self.hub.go_live(connection.key(), &World::channel(STREAM_A))
    }

    /// Subscribes again, as a client does when the hub requests it. Returns the offsets that it recovers, or `None` if that needs a history
    /// read.
    fn resubscribe(&self, connection: &Registration, from: Position) -> Option<Vec<u64>> {
        let channel = World::channel(STREAM_A);
        let options = self.hub.parts.namespaces.options(&channel).expect("configured").clone();
        assert!(
            self.hub.leave(connection.key(), &channel).is_some_and(|left| left.was_live),
            "an ended subscription counts as live until the client leaves"
        );
        self.hub.join(connection.key(), &channel, subscription(&options, SubscriptionSide::Client)).expect("registered");
        let recover = RecoverFrom { epoch: from.epoch.to_string(), offset: from.offset };
        let start = self.hub.recover_from_memory(&channel, &recover, self.hub.parts.limits.page)?;
        assert_eq!((start.answer, start.recovery), (Position { epoch: new_epoch(), ..from }, Recovery::Recovered));
        self.hub.set_read_progress(connection.key(), &channel, start.cursor, start.top);
        Some(start.publications.iter().filter_map(|publication| publication.position).map(|at| at.offset).collect())
    }

    fn old_epoch(&self) -> Epoch {
        let mut state = self.hub.state.borrow_mut();
        let key = state.channels[&World::channel(STREAM_A)];
        state.local_channel(key).and_then(|local_channel| local_channel.feed.position()).expect("known").epoch
    }
}

fn has_loss_notice(connection: &Registration) -> bool {
    match &connection.outbox().take_notices()[..] {
        [] => false,
        [Notice::PublicationsLost(channel)] => channel.as_str() == STREAM_A,
        other => panic!("{other:?}"),
    }
}

// NL-1.6
#[test]
fn at_a_fork_a_server_side_subscription_continues_and_a_client_side_one_ends() {
    run(limits(), 1000, |world| async move {
        let (client, server) = (world.subscribe_as(SubscriptionSide::Client).await, world.subscribe_as(SubscriptionSide::Server).await);
        let old = world.old_epoch();
        world.publish(STREAM_A, "1").await;
        settle().await;
        world.apply_page(&forked(&world, 1, 1, 3).await);
        settle().await;
        assert_eq!(received(&server), ["1", "at 1", "2", "3"]);
        assert_eq!(received(&client), ["1"], "the client would take an offset of the new epoch for one of the old epoch");
        assert!(has_loss_notice(&client) && !has_loss_notice(&server));
        assert_eq!(world.hub.metrics().counted(Count::Forks), 1);

        assert_eq!(world.resubscribe(&client, Position { epoch: old, offset: 1 }), Some(vec![2, 3]));
        assert_eq!(world.go_live(&client), LiveStatus::Live);
        assert_eq!(world.hub.metrics().counted(Count::RecoveriesFromMemory), 1);
        tokio::time::sleep(Duration::from_secs(8)).await;
        let (key, _) = world.local_channel();
        let mut state = world.hub.state.borrow_mut();
        let local_channel = state.local_channel(key).expect("open");
        assert_eq!(
            (local_channel.recent.len(), local_channel.awaiting_resubscribe, local_channel.attaching),
            (0, 0, 0),
            "the channel expects no connection any more"
        );
    });
}

#[test]
fn pending_deliveries_precede_the_fork() {
    run(limits(), 1000, |world| async move {
        world.publish(STREAM_A, "1").await;
        let (client, server) = (world.subscribe_as(SubscriptionSide::Client).await, world.subscribe_as(SubscriptionSide::Server).await);
        let page = forked(&world, 2, 2, 3).await;
        let (key, _) = world.local_channel();
        {
            let mut state = world.hub.state.borrow_mut();
            let old = state.local_channel(key).and_then(|local_channel| local_channel.feed.position()).expect("known").epoch;
            let second = Arc::new(Publication { position: Some(Position { epoch: old, offset: 2 }), ..(*page.publications[0]).clone() });
            let local_channel = state.local_channel(key).expect("open");
            local_channel.feed.receive(&second);
            local_channel.deliver(second, Tick(0), &limits());
            state.pending += 1;
        }
        world.apply_page(&page);
        // A member that joins now already has the new epoch.
        let late = world.connect();
        world.join_as(&late, STREAM_A, SubscriptionSide::Server).await;
        world.hub.set_read_progress(late.key(), &World::channel(STREAM_A), Position { epoch: new_epoch(), offset: 3 }, 3);
        assert_eq!(world.go_live(&late), LiveStatus::Live);
        settle().await;
        assert_eq!(received(&client).len(), 1);
        assert_eq!(received(&server)[1..], ["at 2", "3"]);
        assert_eq!(received(&late), [""; 0]);
        assert!(has_loss_notice(&client) && !has_loss_notice(&late));
    });
}

#[test]
fn a_member_ahead_of_the_fork_continues_unless_its_position_was_lost() {
    for (shared, expected) in [(2, vec!["at 2", "3"]), (1, vec![])] {
        run(limits(), 1000, |world| async move {
            let (first, ahead) = (world.subscribe_as(SubscriptionSide::Server).await, world.connect());
            let old = world.old_epoch();
            world.publish(STREAM_A, "1").await;
            settle().await;
            world.join_as(&ahead, STREAM_A, SubscriptionSide::Server).await;
            world.hub.set_read_progress(ahead.key(), &World::channel(STREAM_A), Position { epoch: old, offset: 2 }, 2);
            assert_eq!(world.go_live(&ahead), LiveStatus::Live);
            world.apply_page(&forked(&world, shared, 1, 3).await);
            settle().await;
            assert_eq!(received(&first), ["1", "at 1", "2", "3"]);
            assert_eq!(received(&ahead), expected);
            assert_eq!(has_loss_notice(&ahead), expected.is_empty(), "the new epoch has another publication at its offset");
        });
    }
}

// NL-1.7
#[test]
fn resubscribe_requests_are_paced_and_delay_no_other_member() {
    run(HubLimits { attach_buffer: 1000, ..limits() }, 1000, |world| async move {
        let mut clients = Vec::new();
        for _ in 0..150 {
            clients.push(world.subscribe_as(SubscriptionSide::Client).await);
        }
        let old = world.old_epoch();
        world.publish(STREAM_A, "1").await;
        settle().await;
        let page = forked(&world, 1, 1, 2).await;
        world.apply_page(&page);
        for _ in 0..10 {
            settle().await;
        }
        assert!(has_loss_notice(&clients[0]) && !has_loss_notice(&clients[1]), "the first request is sent at once");
        assert_eq!(world.resubscribe(&clients[0], Position { epoch: old, offset: 1 }), Some(vec![2]));
        assert_eq!(world.go_live(&clients[0]), LiveStatus::Live);
        received(&clients[0]);

        tokio::time::sleep(Duration::from_millis(500)).await;
        settle().await;
        let moved = 1 + clients[1..].iter().filter(|client| has_loss_notice(client)).count();
        assert!((45..=55).contains(&moved), "{moved} requests in half a second, at 100 per second");
        world.mailbox.deliver(&World::channel(STREAM_A), Delivery::Publication(successor(&page.publications[0], 3)));
        settle().await;
        assert_eq!(received(&clients[0]), ["3"], "a client that has returned does not wait for the others");
        let last = &clients[149];
        assert_eq!(received(last), ["1"]);
        tokio::time::sleep(Duration::from_secs(2)).await;
        settle().await;
        assert!(has_loss_notice(last));
        assert_eq!(world.resubscribe(last, Position { epoch: old, offset: 1 }), Some(vec![2, 3]));
        assert_eq!(world.go_live(last), LiveStatus::Live);
    });
}

#[test]
fn a_resubscribe_request_does_not_reach_a_later_connection_at_the_same_index() {
    run(HubLimits { resubscribes_per_second: 1, ..limits() }, 1000, |world| async move {
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(world.subscribe_as(SubscriptionSide::Client).await);
        }
        world.publish(STREAM_A, "1").await;
        settle().await;
        world.apply_page(&forked(&world, 1, 1, 2).await);
        settle().await;
        let closed = clients.remove(1);
        let index = closed.key().index;
        drop(closed);
        let next = world.connect();
        assert_eq!(next.key().index, index);
        world.join_as(&next, STREAM_A, SubscriptionSide::Client).await;
        world.hub.set_read_progress(next.key(), &World::channel(STREAM_A), Position { epoch: new_epoch(), offset: 2 }, 2);
        assert_eq!(world.go_live(&next), LiveStatus::Live);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(has_loss_notice(&clients[0]) && has_loss_notice(&clients[1]) && !has_loss_notice(&next));
    });
}

#[test]
fn a_fork_during_an_attach() {
    for side in [SubscriptionSide::Client, SubscriptionSide::Server] {
        run(limits(), 1000, |world| async move {
            let live = world.subscribe_as(side).await;
            world.publish(STREAM_A, "1").await;
            settle().await;
            let attaching = world.connect();
            world.join_as(&attaching, STREAM_A, side).await;
            let page = forked(&world, 1, 1, 2).await;
            world.apply_page(&page);
            settle().await;
            assert_eq!(world.go_live(&attaching), LiveStatus::Behind(1), "the client has the old epoch");
            let advance = world.hub.deliver_page(attaching.key(), &World::channel(STREAM_A), &page);
            match side {
                SubscriptionSide::Client => assert_eq!(advance, CatchUpStep::Lost),
                SubscriptionSide::Server => {
                    assert_eq!(advance, CatchUpStep::Status(LiveStatus::Live));
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
fn pending_deliveries_of_a_lost_timeline_reach_no_new_member() {
    run(limits(), 1000, |world| async move {
        let (lost, next) = (world.subscribe_as(SubscriptionSide::Server).await, world.connect());
        for text in ["one", "two", "three"] {
            world.publish(STREAM_A, text).await;
        }
        settle().await;
        world.join(&next, STREAM_A).await;
        let page = world.read(&World::channel(STREAM_A), ReadRange::After(0)).await.expect("in memory");
        let position = Position { epoch: new_epoch(), offset: 1 };
        {
            let (key, _) = world.local_channel();
            let mut state = world.hub.state.borrow_mut();
            state.local_channel(key).expect("open").deliver(page.publications[2].clone(), Tick(0), &limits());
            state.pending += 1;
            state.queue_fan_out(key);
        }
        world.apply_page(&Page { epoch: position.epoch, top: 1, forks: Vec::new(), publications: Vec::new() });
        world.hub.set_read_progress(next.key(), &World::channel(STREAM_A), position, position.offset);
        assert_eq!(world.go_live(&next), LiveStatus::Live);
        settle().await;
        assert_eq!(received(&lost), ["one", "two", "three"]);
        assert!(has_loss_notice(&lost));
        assert_eq!(received(&next), [""; 0], "the third publication belongs to the lost timeline");
        assert_eq!(world.hub.state.borrow().pending, 0);
    });
}

#[test]
fn a_loss_during_a_fork_ends_each_subscription_once() {
    run(limits(), 1000, |world| async move {
        let mut all = Vec::new();
        for n in 0..7 {
            all.push(world.subscribe_as(if n % 2 == 0 { SubscriptionSide::Server } else { SubscriptionSide::Client }).await);
        }
        world.publish(STREAM_A, "1").await;
        settle().await;
        world.apply_page(&forked(&world, 1, 1, 2).await);
        world.hub.fan_out_turn();
        let (key, _) = world.local_channel();
        assert!(
            world.hub.state.borrow_mut().local_channel(key).is_some_and(|local_channel| local_channel.fan_out.is_some()),
            "the fork's fan-out is in progress"
        );
        let third = Epoch::parse("athirdon").expect("valid");
        world.apply_page(&Page { epoch: third, top: 9, forks: Vec::new(), publications: Vec::new() });
        settle().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(all.iter().all(has_loss_notice), "each connection receives one notice");
        let mut state = world.hub.state.borrow_mut();
        assert_eq!(state.pending, 0);
        let local_channel = state.local_channel(key).expect("open");
        assert_eq!((local_channel.members_timeline, local_channel.awaiting_resubscribe), (local_channel.timeline, 7));
    });
}

#[test]
fn a_second_fork_may_follow_before_members_have_passed_the_first() {
    run(limits(), 1000, |world| async move {
        let (client, server) = (world.subscribe_as(SubscriptionSide::Client).await, world.subscribe_as(SubscriptionSide::Server).await);
        world.publish(STREAM_A, "1").await;
        settle().await;
        let second = forked(&world, 1, 1, 2).await;
        world.apply_page(&second);
        let third = Epoch::parse("athirdon").expect("valid");
        let next = successor(&second.publications[0], 3);
        let next = Arc::new(Publication { position: Some(Position { epoch: third, offset: 3 }), ..(*next).clone() });
        let fork = Position { epoch: new_epoch(), offset: 2 };
        world.apply_page(&Page { epoch: third, top: 3, forks: vec![fork, second.forks[0]], publications: vec![next] });
        settle().await;
        assert_eq!(received(&server), ["1", "at 1", "2", "at 2", "3"]);
        assert_eq!(received(&client), ["1"]);
        assert!(has_loss_notice(&client));
        let recover = RecoverFrom { epoch: second.forks[0].epoch.to_string(), offset: 1 };
        let start =
            world.hub.recover_from_memory(&World::channel(STREAM_A), &recover, world.hub.page()).expect("the feed knows both forks");
        assert_eq!((start.answer.epoch, start.publications.len()), (third, 2));
    });
}

#[test]
fn the_only_subscriber_of_a_channel_recovers_from_memory() {
    run(limits(), 1000, |world| async move {
        let client = world.subscribe_as(SubscriptionSide::Client).await;
        let old = world.old_epoch();
        world.publish(STREAM_A, "1").await;
        settle().await;
        let page = forked(&world, 1, 1, 2).await;
        world.apply_page(&page);
        settle().await;
        assert!(has_loss_notice(&client));
        assert!(world.hub.leave(client.key(), &World::channel(STREAM_A)).is_some_and(|left| left.was_live));
        world.mailbox.deliver(&World::channel(STREAM_A), Delivery::Publication(successor(&page.publications[0], 3)));
        settle().await;
        let recover = RecoverFrom { epoch: old.to_string(), offset: 1 };
        let is_kept = |world: &World| world.hub.recover_from_memory(&World::channel(STREAM_A), &recover, world.hub.page()).is_some();
        assert!(is_kept(&world));
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(!is_kept(&world) && world.hub.state.borrow().channels.is_empty(), "the channel stops expecting the client");
    });
}
