//! Subscriptions with filters: each client gets exactly the publications that pass its filter, in order.

use super::*;
use gateway_core::{
    channel::{FilterNode, TagsFilter},
    protocol::centrifuge::testing::read_replies,
};
use proptest::prelude::*;

const CHANNEL: &str = "stream:a";

/// Passes publications whose tag `class` is one of these.
fn filter(classes: &[u8]) -> Arc<TagsFilter> {
    let vals = classes.iter().map(u8::to_string).collect();
    let node = FilterNode { key: "class".into(), cmp: "in".into(), vals, ..FilterNode::default() };
    Arc::new(TagsFilter::check(node).expect("valid"))
}

impl World {
    async fn publish_tagged(&self, number: u64, class: u8) {
        let data = Data::parse(&serde_json::value::to_raw_value(&number).expect("a number")).expect("shallow");
        let tags = [("class".to_owned(), class.to_string())].into();
        let publication =
            NewPublication { content: data.into(), tags, info: None, traceparent: None, retention: Some(STREAM), identity: None };
        self.broker.publish(&Self::channel(CHANNEL), publication).await.expect("in memory");
    }

    async fn subscribe_filtered(&self, codec: Codec, classes: Option<&[u8]>) -> Registration {
        let connection = self.hub.register(ConnectionId::random(), Protocol::Centrifuge(Encoding::in_messages(codec)));
        let (channel, filter) = (Self::channel(CHANNEL), classes.map(filter));
        let options = self.hub.parts.namespaces.options(&channel).expect("configured").clone();
        self.hub.join(connection.key(), &channel, NewSubscription { filter, ..subscription(&options, SubscriptionSide::Client) });
        self.subscribe(&connection, CHANNEL).await;
        connection
    }
}

/// The frames in the outbox of a connection.
fn frames(connection: &Registration) -> Vec<Frame> {
    connection.outbox().write(|frames| Written { result: frames.drain(..).collect(), begun: 0 })
}

fn numbers(frames: &[Frame], codec: Codec) -> Vec<u64> {
    let replies = frames.iter().flat_map(|frame| read_replies(codec, payload(frame)).expect("valid"));
    replies.map(|reply| reply["push"]["pub"]["data"].as_u64().expect("a number")).collect()
}

#[test]
fn subscribers_with_the_same_selection_share_a_batch() {
    run(HubLimits { batch_bytes: 10_000, ..limits() }, 1000, |world| async move {
        let one = world.subscribe_filtered(Codec::Json, Some(&[1, 2])).await;
        // Another filter that selects the same publications.
        let other = world.subscribe_filtered(Codec::Json, Some(&[2, 1, 7])).await;
        let (all, everything) =
            (world.subscribe_filtered(Codec::Json, None).await, world.subscribe_filtered(Codec::Json, Some(&[1, 2, 3])).await);
        let none = world.subscribe_filtered(Codec::Json, Some(&[9])).await;
        for (number, class) in [(1, 1), (2, 3), (3, 2)] {
            world.publish_tagged(number, class).await;
        }
        settle().await;
        let [one, other, all, everything, none] = [one, other, all, everything, none].map(|connection| frames(&connection));
        assert_eq!((numbers(&one, Codec::Json), numbers(&all, Codec::Json), none.len()), (vec![1, 3], vec![1, 2, 3], 0));
        assert_eq!(one[0].as_ref().as_ptr(), other[0].as_ref().as_ptr());
        assert_eq!(all[0].as_ref().as_ptr(), everything[0].as_ref().as_ptr(), "a filter that all publications pass needs no batch");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn each_subscriber_gets_what_passes_its_filter_in_order(
        subscribers in proptest::collection::vec((any::<bool>(), proptest::option::of(proptest::collection::vec(0u8..6, 1..4))), 1..20),
        classes in proptest::collection::vec((0u8..6, any::<bool>()), 0..30),
        batch_bytes in 1usize..3000,
    ) {
        run(HubLimits { batch_bytes, outbox_bytes: 1_000_000, ..limits() }, 1000, |world| async move {
            let mut clients = Vec::new();
            for (is_json, classes) in &subscribers {
                let codec = if *is_json { Codec::Json } else { Codec::Protobuf };
                clients.push((world.subscribe_filtered(codec, classes.as_deref()).await, codec, classes));
            }
            for (number, (class, deliver)) in (1..).zip(&classes) {
                world.publish_tagged(number, *class).await;
                if *deliver {
                    settle().await;
                }
            }
            settle().await;
            for (connection, codec, wanted) in &clients {
                let passes = |class: &u8| wanted.as_ref().is_none_or(|wanted| wanted.contains(class));
                let expected: Vec<u64> = (1..).zip(&classes).filter(|(_, (class, _))| passes(class)).map(|(number, _)| number).collect();
                assert_eq!(numbers(&frames(connection), *codec), expected);
            }
        });
    }
}
