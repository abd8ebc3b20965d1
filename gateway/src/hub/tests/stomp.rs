//! STOMP connections: each subscription gets the publications that it wants as messages of its own.

use super::*;
use gateway_core::protocol::{
    DeliveryForm,
    stomp::{Framing, MessageForm, MessageSubscription, Version},
};

const CHANNEL: &str = "stream:a";

/// The form of a connection with these subscriptions: id, and the queue.
fn form(subscriptions: &[(&str, Option<&str>)]) -> Arc<MessageForm> {
    let each = subscriptions.iter().map(|(id, queue)| MessageSubscription {
        id: (*id).into(),
        destination: "/topic/a".into(),
        acks: false,
        queue: queue.map(Into::into),
        after: None,
    });
    Arc::new(MessageForm { version: Version::V1_2, framing: Framing::WebSocket, subscriptions: each.collect() })
}

impl World {
    async fn subscribe_stomp(&self, channel: &str, form: Arc<MessageForm>) -> Registration {
        let connection = self.hub.register(ConnectionId::random(), Protocol::WithForm);
        let name = Self::channel(channel);
        let options = self.hub.parts.namespaces.options(&name).expect("configured").clone();
        self.hub
            .join(
                connection.key(),
                &name,
                NewSubscription { form: Some(DeliveryForm::Stomp(form)), ..subscription(&options, SubscriptionSide::Server) },
            )
            .expect("registered");
        self.subscribe(&connection, channel).await;
        connection
    }

    async fn publish_to_queue(&self, text: &str, queue: &str) {
        let data = Data::parse(&serde_json::value::to_raw_value(text).expect("a string")).expect("shallow");
        let tags = [("queue".to_owned(), queue.to_owned())].into();
        let publication =
            NewPublication { content: data.into(), tags, info: None, traceparent: None, retention: Some(STREAM), identity: None };
        self.broker.publish(&Self::channel(CHANNEL), publication).await.expect("in memory");
    }
}

/// Removes the queued messages of an outbox: the subscription's id and the body of each.
fn messages(connection: &Registration) -> Vec<String> {
    let frames = received_frames(connection);
    frames.iter().flat_map(|frame| websocket_messages(frame.as_ref())).map(|message| summary(&message)).collect()
}

fn websocket_messages(mut bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (header, length) = match bytes[1] {
            126 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
            short => (2, usize::from(short)),
        };
        all.push(String::from_utf8(bytes[header..header + length].to_vec()).expect("text"));
        bytes = &bytes[header + length..];
    }
    all
}

fn summary(message: &str) -> String {
    let (head, body) = message.split_once("\n\n").expect("a frame");
    let id = head.lines().find_map(|line| line.strip_prefix("subscription:")).expect("a subscription");
    format!("{id} {}", body.trim_end_matches('\0'))
}

#[test]
fn each_subscription_gets_each_publication_once_and_in_order() {
    run(HubLimits { batch_bytes: 10_000, ..limits() }, 1000, |world| async move {
        let (one, same) =
            (world.subscribe_stomp(CHANNEL, form(&[("s", None)])).await, world.subscribe_stomp(CHANNEL, form(&[("s", None)])).await);
        let two = world.subscribe_stomp(CHANNEL, form(&[("a", None), ("b", None)])).await;
        let json = world.connect();
        world.subscribe(&json, CHANNEL).await;
        for text in ["1", "2"] {
            world.publish(CHANNEL, text).await;
        }
        settle().await;
        let (first, second) = (received_frames(&one), received_frames(&same));
        assert_eq!(first[0].as_ref().as_ptr(), second[0].as_ref().as_ptr(), "connections with equal forms share a batch");
        let first: Vec<_> = first.iter().flat_map(|frame| websocket_messages(frame.as_ref())).map(|message| summary(&message)).collect();
        assert_eq!(first, ["s \"1\"", "s \"2\""]);
        assert_eq!(messages(&two), ["a \"1\"", "b \"1\"", "a \"2\"", "b \"2\""]);
        assert_eq!(received(&json), ["1", "2"]);
        assert_eq!(world.hub.metrics().counted(Count::Deliveries), 10);
    });
}

#[test]
fn a_form_changes_from_the_next_delivery_on() {
    run(limits(), 1000, |world| async move {
        let connection = world.subscribe_stomp(CHANNEL, form(&[("a", None)])).await;
        world.publish(CHANNEL, "1").await;
        settle().await;
        world.hub.set_form(connection.key(), &World::channel(CHANNEL), Some(form(&[("b", None), ("c", None)])));
        world.publish(CHANNEL, "2").await;
        settle().await;
        assert_eq!(messages(&connection), ["a \"1\"", "b \"2\"", "c \"2\""]);
        world.hub.leave(connection.key(), &World::channel(CHANNEL));
        world.hub.set_form(connection.key(), &World::channel(CHANNEL), Some(form(&[("d", None)])));
        world.publish(CHANNEL, "3").await;
        settle().await;
        assert_eq!(messages(&connection), [""; 0], "it is in the channel no more");
    });
}

#[test]
fn queues_get_their_own_publications_only() {
    run(limits(), 1000, |world| async move {
        let connection = world.subscribe_stomp(CHANNEL, form(&[("m", Some("mail")), ("n", Some("news"))])).await;
        let other = world.subscribe_stomp(CHANNEL, form(&[("o", Some("other"))])).await;
        for (text, queue) in [("1", "news"), ("2", "mail"), ("3", "none")] {
            world.publish_to_queue(text, queue).await;
        }
        world.publish(CHANNEL, "4").await;
        settle().await;
        assert_eq!(messages(&connection), ["n \"1\"", "m \"2\""]);
        assert!(received_frames(&other).is_empty());
    });
}

#[test]
fn publications_that_arrive_during_the_attach_or_from_history_are_messages() {
    run(limits(), 1000, |world| async move {
        let live = world.subscribe_stomp(CHANNEL, form(&[("l", None)])).await;
        let late = world.hub.register(ConnectionId::random(), Protocol::WithForm);
        let name = World::channel(CHANNEL);
        let options = world.hub.parts.namespaces.options(&name).expect("configured").clone();
        let new =
            NewSubscription { form: Some(DeliveryForm::Stomp(form(&[("h", None)]))), ..subscription(&options, SubscriptionSide::Server) };
        world.hub.join(late.key(), &name, new).expect("registered");
        world.join(&late, CHANNEL).await;
        let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        for text in &expected {
            world.publish(CHANNEL, text).await;
        }
        settle().await;
        let mut status = world.hub.go_live(late.key(), &name);
        while let LiveStatus::Behind(after) = status {
            let page = world.read(&name, ReadRange::After(after)).await.expect("in memory");
            let CatchUpStep::Status(next) = world.hub.deliver_page(late.key(), &name, &page) else { panic!("nothing was trimmed") };
            status = next;
        }
        let of = |id: &str| expected.iter().map(|text| format!("{id} \"{text}\"")).collect::<Vec<_>>();
        assert_eq!(messages(&late), of("h"));
        assert_eq!(messages(&live), of("l"));
    });
}

#[test]
fn a_subscription_that_joins_during_the_catch_up_gets_nothing_of_it() {
    run(limits(), 1000, |world| async move {
        let name = World::channel(CHANNEL);
        let keeper = world.connect();
        world.subscribe(&keeper, CHANNEL).await;
        let connection = world.hub.register(ConnectionId::random(), Protocol::WithForm);
        let options = world.hub.parts.namespaces.options(&name).expect("configured").clone();
        let new =
            NewSubscription { form: Some(DeliveryForm::Stomp(form(&[("old", None)]))), ..subscription(&options, SubscriptionSide::Server) };
        world.hub.join(connection.key(), &name, new).expect("registered");
        for text in 0..6 {
            world.publish(CHANNEL, &text.to_string()).await;
        }
        settle().await;
        let top = world.read(&name, ReadRange::Top).await.expect("in memory");
        let epoch = top.epoch;
        world.hub.set_read_progress(connection.key(), &name, Position { epoch, offset: 0 }, top.top);
        world.hub.set_form(connection.key(), &name, Some(form(&[("old", None), ("new", None)])));
        world.hub.set_form(connection.key(), &name, Some(form(&[("old", None), ("new", None), ("newer", None)])));
        world.publish(CHANNEL, "later").await;
        let mut after = 0;
        loop {
            let page = world.read(&name, ReadRange::After(after)).await.expect("in memory");
            match world.hub.deliver_page(connection.key(), &name, &page) {
                CatchUpStep::Status(LiveStatus::Behind(next)) => after = next,
                CatchUpStep::Status(LiveStatus::Live) => break,
                other => panic!("{other:?}"),
            }
        }
        settle().await;
        let received = messages(&connection);
        let of = |id: &str| received.iter().filter(|line| line.starts_with(&format!("{id} "))).count();
        assert_eq!((of("old"), of("new"), of("newer")), (7, 1, 1), "{received:?}");
        assert!(received.contains(&"new \"later\"".to_owned()) && received.contains(&"newer \"later\"".to_owned()));
    });
}

#[test]
fn a_subscription_stays_at_a_fork() {
    run(limits(), 1000, |world| async move {
        let connection = world.subscribe_stomp(CHANNEL, form(&[("s", None)])).await;
        world.publish(CHANNEL, "1").await;
        settle().await;
        let page = forks::forked(&world, 1, 1, 3).await;
        world.apply_page(&page);
        settle().await;
        assert_eq!(messages(&connection), ["s \"1\"", "s \"2\"", "s \"3\""]);
        assert!(connection.outbox().take_notices().is_empty(), "nothing is lost");
    });
}

#[test]
fn publications_without_a_position_have_ids_of_their_own() {
    run(limits(), 1000, |world| async move {
        let connection = world.subscribe_stomp("plain:a", form(&[("s", None)])).await;
        for text in ["1", "2", "3"] {
            world.publish("plain:a", text).await;
            settle().await;
        }
        let frames = received_frames(&connection);
        let all = frames.iter().flat_map(|frame| websocket_messages(frame.as_ref()));
        let ids: Vec<_> = all
            .map(|message| message.lines().find_map(|line| line.strip_prefix("message-id:").map(str::to_owned)).expect("an id"))
            .collect();
        let unique: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!((ids.len(), unique.len()), (3, 3), "{ids:?}");
    });
}

#[test]
fn a_slow_connection_gets_the_newest_message_of_its_queue() {
    run(limits(), 1000, |world| async move {
        let connection = world.subscribe_stomp("latest:a", form(&[("s", None)])).await;
        let long = "x".repeat(3000);
        for n in 0..10 {
            world.publish("latest:a", &format!("{n}{long}")).await;
            settle().await;
        }
        let last = messages(&connection).pop().expect("a message");
        assert!(last.starts_with("s \"9"), "{}", &last[..20]);
        assert!(connection.outbox().overflow().is_none());
    });
}

#[test]
fn lost_deliveries_are_reported() {
    run(limits(), 8, |world| async move {
        let connection = world.subscribe_stomp("plain:a", form(&[("s", None)])).await;
        for n in 0..50 {
            world.publish("plain:a", &n.to_string()).await;
        }
        settle().await;
        assert!(matches!(&connection.outbox().take_notices()[..], [Notice::PublicationsLost(channel)] if channel.as_str() == "plain:a"));
    });
}
