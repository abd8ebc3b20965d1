//! Clients that return soon recover from the memory of the worker.

use super::*;

const CHANNEL: &str = "stream:a";
const KEPT: Duration = Duration::from_secs(15);
/// After this time what was kept for [`KEPT`] is gone: the wheel is up to two of its buckets late.
const FORGOTTEN: Duration = Duration::from_secs(17);

fn remembering() -> HubLimits {
    HubLimits { memory: RecoveryMemoryLimits { time: KEPT, bytes: 10_000, channels: 1 }, attach_buffer: 100, ..limits() }
}

impl World {
    fn open_channels(&self) -> (usize, usize) {
        let state = self.hub.state.borrow();
        (state.channels.len(), state.unused_channels)
    }

    /// Subscribes with a position. Returns the offsets that the worker had in memory, or `None` if that needs a history read.
    async fn come_back(&self, connection: &Registration, channel: &str, from: Position) -> Option<Vec<u64>> {
        let name = World::channel(channel);
        let options = self.hub.parts.namespaces.options(&name).expect("configured").clone();
        self.hub.join(connection.key(), &name, subscription(&options, SubscriptionSide::Client)).expect("registered");
        self.broker.subscribe(&name, self.hub.parts.worker, None).await.expect("in memory");
        let recover = RecoverFrom { epoch: from.epoch.to_string(), offset: from.offset };
        let page = PageLimit { entries: 100, bytes: 10_000 };
        let start = self.hub.recover_from_memory(&name, &recover, page)?;
        self.hub.set_read_progress(connection.key(), &name, start.cursor, start.top);
        assert_eq!(self.hub.go_live(connection.key(), &name), LiveStatus::Live);
        Some(start.publications.iter().filter_map(|publication| publication.position).map(|at| at.offset).collect())
    }

    /// Publishes into the channel and returns the position.
    async fn publish_one(&self, text: &str) -> Position {
        let position = self.publish(CHANNEL, text).await.expect("stored");
        settle().await;
        position
    }
}

#[test]
fn a_client_that_returns_soon_needs_no_read_even_if_all_were_away() {
    run(remembering(), 1000, |world| async move {
        let first = world.connect();
        world.subscribe(&first, CHANNEL).await;
        let seen = world.publish_one("1").await;
        drop(first);
        world.publish_one("2").await;
        world.publish_one("3").await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let again = world.connect();
        assert_eq!(world.come_back(&again, CHANNEL, seen).await, Some(vec![2, 3]));
        world.publish_one("4").await;
        assert_eq!(received(&again), ["4"]);
        assert_eq!((world.open_channels(), world.hub.metrics().counted(Count::RecoveriesFromMemory)), ((1, 0), 1));
    });
}

#[test]
fn what_nobody_returned_for_is_forgotten() {
    run(remembering(), 1000, |world| async move {
        let (first, second) = (world.connect(), world.connect());
        world.subscribe(&first, CHANNEL).await;
        world.subscribe(&second, CHANNEL).await;
        let seen = world.publish_one("1").await;
        drop(first);
        world.publish_one("2").await;
        tokio::time::sleep(FORGOTTEN).await;
        assert_eq!(world.hub.state.borrow().recent_bytes.get(), 0, "the publications are forgotten");
        let again = world.connect();
        assert_eq!(world.come_back(&again, CHANNEL, seen).await, None);
        drop((second, again));
        tokio::time::sleep(Duration::from_secs(14)).await;
        assert_eq!(world.open_channels(), (1, 1));
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(world.open_channels(), (0, 0));
        let received = world.hub.metrics().counted(Count::PublicationsIn);
        world.publish_one("3").await;
        assert_eq!(world.hub.metrics().counted(Count::PublicationsIn), received, "the broker delivers nothing to the worker any more");
    });
}

#[test]
fn the_memory_has_no_more_than_the_history() {
    run(remembering(), 1000, |world| async move {
        let (channel, connection) = (World::channel("short:a"), world.connect());
        world.subscribe(&connection, "short:a").await;
        let seen = world.publish("short:a", "1").await.expect("stored");
        for text in ["2", "3", "4"] {
            world.publish("short:a", text).await;
        }
        settle().await;
        let recover = |offset| RecoverFrom { epoch: seen.epoch.to_string(), offset };
        let limit = PageLimit { entries: 100, bytes: 10_000 };
        assert!(world.hub.recover_from_memory(&channel, &recover(1), limit).is_none(), "the history keeps two");
        assert!(world.hub.recover_from_memory(&channel, &recover(2), limit).is_some());
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(world.hub.recover_from_memory(&channel, &recover(2), limit).is_none(), "for three seconds");
    });
}

#[test]
fn a_channel_that_is_used_again_is_not_removed_when_its_time_is_over() {
    run(remembering(), 1000, |world| async move {
        let first = world.connect();
        world.subscribe(&first, CHANNEL).await;
        let seen = world.publish_one("1").await;
        drop(first);
        let again = world.connect();
        assert_eq!(world.come_back(&again, CHANNEL, seen).await, Some(vec![]));
        tokio::time::sleep(FORGOTTEN).await;
        world.publish_one("2").await;
        assert_eq!(received(&again), ["2"]);
        drop(again);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(world.open_channels(), (1, 1), "the time begins again");
    });
}

#[test]
fn channels_without_subscribers_have_a_limit_and_those_without_history_end_at_once() {
    run(remembering(), 1000, |world| async move {
        for channel in ["plain:a", "stream:a", "stream:b"] {
            let connection = world.connect();
            world.subscribe(&connection, channel).await;
        }
        assert_eq!(world.open_channels(), (1, 1), "stream:a");
        let connection = world.connect();
        world.subscribe(&connection, "stream:a").await;
        assert_eq!(world.open_channels(), (1, 0));
    });
}

#[test]
fn publications_that_a_connection_needs_are_kept_beyond_the_limit_of_bytes() {
    let limits = HubLimits { memory: RecoveryMemoryLimits { bytes: 1, ..remembering().memory }, ..remembering() };
    run(limits, 1000, |world| async move {
        let live = world.connect();
        world.subscribe(&live, CHANNEL).await;
        world.publish_one("1").await;
        assert_eq!(world.hub.state.borrow().recent_bytes.get(), 0);
        let attaching = world.connect();
        world.join(&attaching, CHANNEL).await;
        world.publish_one("2").await;
        assert_eq!(world.hub.go_live(attaching.key(), &World::channel(CHANNEL)), LiveStatus::Live);
        assert_eq!(received(&attaching), ["2"]);
        tokio::time::sleep(FORGOTTEN).await;
        assert_eq!(world.hub.state.borrow().recent_bytes.get(), 0);
    });
}
