//! Event streams: one batch for all streams of one channel, and ids of their own for streams of several.

use super::*;
use gateway_core::protocol::{
    DeliveryForm,
    event_stream::{ChannelList, EventForm, LastEventId, LastPositions, StreamPositions, position_id},
};

const CHANNEL: &str = "stream:a";
const OTHER: &str = "stream:b";

fn single() -> DeliveryForm {
    DeliveryForm::Events(Arc::new(EventForm::Single { envelope: None }))
}

/// Two channels of one stream.
struct Pair {
    channels: ChannelList,
    positions: StreamPositions,
}

impl Pair {
    fn new() -> Self {
        let channels = ChannelList::new(vec![World::channel(CHANNEL), World::channel(OTHER)]).expect("two");
        Self { positions: StreamPositions::new(&channels), channels }
    }

    fn form(&self, index: usize) -> DeliveryForm {
        let (channel, positions) = (self.channels[index].clone(), self.positions.clone());
        DeliveryForm::Events(Arc::new(EventForm::Several { channel, index, positions }))
    }

    /// The offsets in an id, by channel.
    fn offsets(&self, id: &str) -> Vec<u64> {
        let LastPositions::Of(all) = LastEventId::parse(id, &self.channels).expect("an id").positions else { panic!("other channels") };
        all.iter().map(|at| at.map_or(0, |at| at.offset)).collect()
    }
}

impl World {
    async fn subscribe_events(&self, connection: &Registration, channel: &str, form: DeliveryForm) {
        let name = Self::channel(channel);
        let options = self.hub.parts.namespaces.options(&name).expect("configured").clone();
        let new = NewSubscription { form: Some(form), ..subscription(&options, SubscriptionSide::Server) };
        self.hub.join(connection.key(), &name, new).expect("registered");
        self.subscribe(connection, channel).await;
    }

    fn stream(&self) -> Registration {
        self.hub.register(ConnectionId::random(), Protocol::WithForm)
    }
}

/// Removes the queued events of an outbox: the id and the data of each.
fn events(connection: &Registration) -> Vec<(String, String)> {
    let frames = received_frames(connection);
    let bytes: Vec<u8> = frames.iter().flat_map(AsRef::as_ref).copied().collect();
    let text = String::from_utf8(bytes).expect("UTF-8");
    let event = |block: &str| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        (field("id: "), field("data: "))
    };
    text.split_terminator("\n\n").map(event).collect()
}

#[test]
fn streams_of_one_channel_share_a_batch() {
    run(HubLimits { batch_bytes: 10_000, ..limits() }, 1000, |world| async move {
        let (one, same) = (world.stream(), world.stream());
        for connection in [&one, &same] {
            world.subscribe_events(connection, CHANNEL, single()).await;
        }
        let json = world.connect();
        world.subscribe(&json, CHANNEL).await;
        for text in ["1", "2"] {
            world.publish(CHANNEL, text).await;
        }
        settle().await;
        let frames = received_frames(&one);
        assert_eq!(frames.len(), 1, "what waits is one batch");
        assert_eq!(frames[0].as_ref().as_ptr(), received_frames(&same)[0].as_ref().as_ptr());
        let top = world.read(&World::channel(CHANNEL), ReadRange::Top).await.expect("in memory");
        let id = |offset| position_id(Position { epoch: top.epoch, offset });
        let expected = format!("id: {}\ndata: \"1\"\n\nid: {}\ndata: \"2\"\n\n", id(1), id(2));
        assert_eq!(String::from_utf8_lossy(frames[0].as_ref()), expected);
        assert_eq!(received(&json), ["1", "2"]);
        assert_eq!(world.hub.metrics().counted(Count::Deliveries), 6);
    });
}

#[test]
fn the_ids_of_several_channels_follow_the_order_of_the_outbox() {
    run(limits(), 1000, |world| async move {
        let pairs = [Pair::new(), Pair::new()];
        let streams = [world.stream(), world.stream()];
        for (pair, stream) in pairs.iter().zip(&streams) {
            world.subscribe_events(stream, CHANNEL, pair.form(0)).await;
        }
        world.publish(CHANNEL, "a1").await;
        settle().await;
        // The second stream is in the other channel from its second publication on.
        world.subscribe_events(&streams[0], OTHER, pairs[0].form(1)).await;
        world.publish(OTHER, "b1").await;
        settle().await;
        world.subscribe_events(&streams[1], OTHER, pairs[1].form(1)).await;
        for (channel, text) in [(OTHER, "b2"), (CHANNEL, "a2"), (CHANNEL, "a3"), (OTHER, "b3")] {
            world.publish(channel, text).await;
        }
        settle().await;
        for (index, (pair, stream)) in pairs.iter().zip(&streams).enumerate() {
            let mut last = vec![0, 0];
            let received = events(stream);
            assert_eq!(received.len(), 6 - index, "{received:?}");
            for (id, data) in received {
                let envelope: serde_json::Value = serde_json::from_str(&data).expect("JSON");
                let at = usize::from(envelope["channel"] == OTHER);
                last[at] = envelope["offset"].as_u64().expect("an offset");
                assert_eq!(pair.offsets(&id), last, "{data}");
            }
            assert_eq!(last, [3, 3]);
        }
    });
}

#[test]
fn a_stream_stays_at_a_fork_and_the_next_id_has_the_new_epoch() {
    run(limits(), 1000, |world| async move {
        let (stream, both, pair) = (world.stream(), world.stream(), Pair::new());
        world.subscribe_events(&stream, CHANNEL, single()).await;
        world.subscribe_events(&both, CHANNEL, pair.form(0)).await;
        world.publish(CHANNEL, "1").await;
        settle().await;
        let page = forks::forked(&world, 1, 1, 3).await;
        world.apply_page(&page);
        settle().await;
        let received = events(&stream);
        assert_eq!(received.iter().map(|(_, data)| &**data).collect::<Vec<_>>(), ["\"1\"", "\"2\"", "\"3\""]);
        assert_eq!(received[1].0, position_id(Position { epoch: page.epoch, offset: 2 }));
        assert_ne!(received[0].0[..8], received[1].0[..8]);
        assert_eq!(events(&both).iter().map(|(id, _)| pair.offsets(id)[0]).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(pair.positions.get(0), Some(Position { epoch: page.epoch, offset: 3 }));
        assert!(stream.outbox().take_notices().is_empty() && both.outbox().take_notices().is_empty(), "nothing is lost");
    });
}

#[test]
fn history_and_publications_during_the_attach_are_events_in_order() {
    run(limits(), 1000, |world| async move {
        let (late, pair, name) = (world.stream(), Pair::new(), World::channel(CHANNEL));
        let options = world.hub.parts.namespaces.options(&name).expect("configured").clone();
        let new = NewSubscription { form: Some(pair.form(0)), ..subscription(&options, SubscriptionSide::Server) };
        world.hub.join(late.key(), &name, new).expect("registered");
        world.join(&late, CHANNEL).await;
        for text in 0..20 {
            world.publish(CHANNEL, &text.to_string()).await;
        }
        settle().await;
        let mut status = world.hub.go_live(late.key(), &name);
        while let LiveStatus::Behind(after) = status {
            let page = world.read(&name, ReadRange::After(after)).await.expect("in memory");
            let CatchUpStep::Status(next) = world.hub.deliver_page(late.key(), &name, &page) else { panic!("nothing was trimmed") };
            status = next;
        }
        let offsets: Vec<_> = events(&late).iter().map(|(id, _)| pair.offsets(id)[0]).collect();
        assert_eq!(offsets, (1..=20).collect::<Vec<_>>());
    });
}

#[test]
fn a_slow_stream_gets_the_newest_event() {
    run(limits(), 1000, |world| async move {
        let stream = world.stream();
        world.subscribe_events(&stream, "latest:a", single()).await;
        let long = "x".repeat(3000);
        for n in 0..10 {
            world.publish("latest:a", &format!("{n}{long}")).await;
            settle().await;
        }
        let (_, last) = events(&stream).pop().expect("an event");
        assert!(last.starts_with("\"9"), "{}", &last[..20]);
        assert!(stream.outbox().overflow().is_none());
    });
}
