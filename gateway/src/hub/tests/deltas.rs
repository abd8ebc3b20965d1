//! Subscriptions with deltas: each client can make every publication from what it received before.

use super::*;
use gateway_core::protocol::centrifuge::testing::{DeltaReader, read_replies};
use proptest::prelude::*;
use serde_json::Value;

const CHANNEL: &str = "deltas:a";

/// A subscriber that applies deltas.
struct Reader {
    connection: Registration,
    codec: Codec,
    data: DeltaReader,
    /// The texts that it has made, and the number of deltas among them.
    texts: Vec<String>,
    deltas: usize,
}

impl Reader {
    fn subscribe(world: &World, codec: Codec) -> Self {
        let (connection, channel) =
            (world.hub.register(ConnectionId::random(), Protocol::Centrifuge(Encoding::in_messages(codec))), World::channel(CHANNEL));
        let options = world.hub.parts.namespaces.options(&channel).expect("configured").clone();
        let request = NewSubscription { has_deltas: true, ..subscription(&options, SubscriptionSide::Client) };
        world.hub.join(connection.key(), &channel, request).expect("registered");
        assert_eq!(world.hub.go_live(connection.key(), &channel), LiveStatus::Live);
        Self { connection, codec, data: DeltaReader::default(), texts: Vec::new(), deltas: 0 }
    }

    /// Reads up to `limit` frames.
    fn read(&mut self, limit: usize) {
        let take = |frames: &mut std::collections::VecDeque<Frame>| frames.drain(..limit.min(frames.len())).collect::<Vec<_>>();
        let frames: Vec<Frame> = self.connection.outbox().write(|frames| Written { result: take(frames), begun: 0 });
        for frame in &frames {
            for reply in read_replies(self.codec, payload(frame)).expect("valid") {
                let publication = &reply["push"]["pub"];
                self.deltas += usize::from(publication.get("delta").is_some());
                let Ok(Value::String(text)) = self.data.data(self.codec, publication) else { panic!("{reply}") };
                self.texts.push(text);
            }
        }
    }
}

/// A text that is long, and differs from others in its number.
fn text(number: usize) -> String {
    format!("Berlin, Hamburg, M\u{fc}nchen and Cologne: the {number}. message is a little longer than a block")
}

#[test]
fn the_first_publication_is_whole_and_the_next_ones_are_deltas_in_both_encodings() {
    run(limits(), 1000, |world| async move {
        let mut readers = [Codec::Json, Codec::Protobuf].map(|codec| Reader::subscribe(&world, codec));
        world.broker.subscribe(&World::channel(CHANNEL), world.hub.parts.worker, None).await.expect("in memory");
        for number in 1..=3 {
            world.publish(CHANNEL, &text(number)).await;
            settle().await;
        }
        let mut late = Reader::subscribe(&world, Codec::Json);
        for number in 4..=5 {
            world.publish(CHANNEL, &text(number)).await;
            settle().await;
        }
        for reader in &mut readers {
            reader.read(usize::MAX);
            assert_eq!((reader.texts.clone(), reader.deltas), ((1..=5).map(text).collect(), 4));
        }
        late.read(usize::MAX);
        assert_eq!((late.texts, late.deltas), (vec![text(4), text(5)], 1));
    });
}

#[derive(Clone, Debug)]
enum Step {
    Publish(usize),
    /// Lets the hub deliver.
    Settle,
    Join(bool),
    Leave(usize),
    Read(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1usize..4).prop_map(Step::Publish),
        4 => Just(Step::Settle),
        2 => any::<bool>().prop_map(Step::Join),
        1 => any::<usize>().prop_map(Step::Leave),
        3 => (any::<usize>(), 1usize..4).prop_map(|(which, frames)| Step::Read(which, frames)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn slow_and_late_subscribers_make_every_text_that_they_get(steps in proptest::collection::vec(step(), 1..60)) {
        // So small that slow readers get the newest publication only.
        let limits = HubLimits { outbox_bytes: 2000, batch_bytes: 150, ..limits() };
        run(limits, 1000, |world| async move {
            world.broker.subscribe(&World::channel(CHANNEL), world.hub.parts.worker, None).await.expect("in memory");
            let (mut readers, mut published) = (vec![Reader::subscribe(&world, Codec::Json)], 0);
            for step in steps {
                match step {
                    Step::Publish(count) => for _ in 0..count {
                        published += 1;
                        world.publish(CHANNEL, &text(published)).await;
                    },
                    Step::Settle => settle().await,
                    Step::Join(is_json) => readers.push(Reader::subscribe(&world, if is_json { Codec::Json } else { Codec::Protobuf })),
                    Step::Leave(which) => if readers.len() > 1 { readers.swap_remove(which % readers.len()); },
                    Step::Read(which, frames) => {
                        let count = readers.len();
                        readers[which % count].read(frames);
                    }
                }
            }
            settle().await;
            let all: Vec<_> = (1..=published).map(text).collect();
            for reader in &mut readers {
                reader.read(usize::MAX);
                let numbers: Vec<_> = reader.texts.iter().map(|text| all.iter().position(|one| one == text)).collect();
                assert!(numbers.iter().all(Option::is_some) && numbers.is_sorted(), "{numbers:?}");
            }
        });
    }
}
