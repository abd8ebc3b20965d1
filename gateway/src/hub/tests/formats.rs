//! Subscribers of one channel with different encodings.

use super::*;
use gateway_core::protocol::centrifuge::testing::read_replies;
use serde_json::{Value, json};

/// A subscriber with its encoding.
struct Subscriber {
    connection: Registration,
    codec: Codec,
    /// The number in place of the channel's name. 0: pushes have the name.
    number: u64,
}

impl World {
    async fn subscriber(&self, channel: &str, codec: Codec, is_compact: bool) -> Subscriber {
        let connection = self.hub.register(ConnectionId::random(), Protocol::Centrifuge(Encoding::in_messages(codec)));
        let name = Self::channel(channel);
        let options = self.hub.parts.namespaces.options(&name).expect("configured").clone();
        let request = NewSubscription { is_compact, join_leave: true, ..subscription(&options, SubscriptionSide::Client) };
        let number = self.hub.join(connection.key(), &name, request).expect("registered");
        self.join(&connection, channel).await;
        assert_eq!(self.hub.go_live(connection.key(), &name), LiveStatus::Live);
        Subscriber { connection, codec, number: if is_compact { number } else { 0 } }
    }
}

impl Subscriber {
    /// The frames in its outbox.
    fn frames(&self) -> Vec<Frame> {
        self.connection.outbox().write(|frames| Written { result: frames.drain(..).collect(), begun: 0 })
    }
}

/// The pushes in a frame.
fn pushes(frame: &Frame, codec: Codec) -> Vec<Value> {
    let bytes = frame.as_ref();
    assert_eq!(
        bytes[0],
        match codec {
            Codec::Json => 0x81,
            Codec::Protobuf => 0x82,
        }
    );
    read_replies(codec, payload(frame)).expect("valid").into_iter().map(|reply| reply["push"].clone()).collect()
}

#[test]
fn each_format_is_encoded_once_and_says_the_same() {
    run(limits(), 1000, |world| async move {
        let formats = [(Codec::Json, false), (Codec::Json, true), (Codec::Protobuf, false), (Codec::Protobuf, true)];
        let mut subscribers = Vec::new();
        for (codec, is_compact) in formats.into_iter().chain(formats) {
            subscribers.push(world.subscriber("stream:a", codec, is_compact).await);
        }
        world.publish("stream:a", "text").await;
        settle().await;
        let frames: Vec<_> = subscribers.iter().map(Subscriber::frames).collect();
        for (subscriber, frames) in subscribers.iter().zip(&frames) {
            let [frame] = &frames[..] else { panic!("{} frames", frames.len()) };
            let [push] = &pushes(frame, subscriber.codec)[..] else { panic!("several pushes") };
            assert_eq!((&push["pub"]["data"], &push["pub"]["offset"]), (&json!("text"), &json!(1)));
            let (name, number) = (push["channel"].as_str().unwrap_or_default(), push["id"].as_u64().unwrap_or_default());
            let expected = if subscriber.number > 0 { "" } else { "stream:a" };
            assert_eq!((name, number), (expected, subscriber.number));
        }
        for (one, other) in frames[..4].iter().zip(&frames[4..]) {
            assert_eq!(one[0].as_ref().as_ptr(), other[0].as_ref().as_ptr(), "both subscribers share one batch");
        }
    });
}

#[test]
fn a_channel_that_was_closed_gets_another_number() {
    run(limits(), 1000, |world| async move {
        let first = world.subscriber("stream:a", Codec::Json, true).await;
        let number = first.number;
        drop(first);
        settle().await;
        let second = world.subscriber("stream:a", Codec::Json, true).await;
        assert!(second.number > number);
    });
}

#[test]
fn history_and_joins_have_the_format_of_the_subscription() {
    run(limits(), 1000, |world| async move {
        let watcher = world.subscriber("crowd:a", Codec::Protobuf, true).await;
        let channel = World::channel("crowd:a");
        let user: UserId = "alice".parse().expect("valid");
        let info = Arc::new(ClientInfo { user, client: ConnectionId::random(), conn_info: None, chan_info: None });
        world.hub.add_presence(&channel, info).await.expect("in memory");
        settle().await;
        let frames = watcher.frames();
        let [frame] = &frames[..] else { panic!("{} frames", frames.len()) };
        let [push] = &pushes(frame, Codec::Protobuf)[..] else { panic!("several pushes") };
        assert_eq!((&push["join"]["info"]["user"], &push["id"]), (&json!("alice"), &json!(watcher.number)));

        let reader = world.hub.register(ConnectionId::random(), Protocol::Centrifuge(Encoding::ProtobufMessages));
        let channel = World::channel("stream:a");
        world.publish("stream:a", "old").await;
        let options = world.hub.parts.namespaces.options(&channel).expect("configured").clone();
        let request = NewSubscription { is_compact: true, ..subscription(&options, SubscriptionSide::Client) };
        let number = world.hub.join(reader.key(), &channel, request).expect("registered");
        world.broker.subscribe(&channel, world.hub.parts.worker, None).await.expect("in memory");
        let page = world.read(&channel, ReadRange::After(0)).await.expect("in memory");
        world.hub.set_read_progress(reader.key(), &channel, Position { epoch: page.epoch, offset: 0 }, page.top);
        world.hub.deliver_page(reader.key(), &channel, &page);
        let frames: Vec<Frame> = reader.outbox().write(|frames| Written { result: frames.drain(..).collect(), begun: 0 });
        let [push] = &pushes(&frames[0], Codec::Protobuf)[..] else { panic!("several pushes") };
        assert_eq!((&push["pub"]["data"], &push["id"]), (&json!("old"), &json!(number)));
    });
}
