//! Tests of event streams. What is written is read by a parser that follows the standard.

mod events;
mod forms;
mod ids;

use super::*;
use crate::model::{ChannelName, Content, Data, Epoch, Position, Publication, Tags};
use proptest::prelude::*;
use testing::{Event, read};

fn channel(name: &str) -> ChannelName {
    name.parse().expect("valid")
}

fn list(names: &[&str]) -> ChannelList {
    ChannelList::new(names.iter().map(|name| channel(name)).collect()).expect("valid")
}

fn position(epoch: &str, offset: u64) -> Position {
    Position { epoch: Epoch::parse(epoch).expect("valid"), offset }
}

fn publication(content: Content, position: Option<Position>) -> Publication {
    Publication { position, content, tags: Tags::new(), info: None, time_ms: 12, traceparent: None }
}

fn json(text: &str) -> Content {
    Data::parse(serde_json::from_str(text).expect("JSON")).expect("shallow").into()
}

fn positions() -> impl Strategy<Value = Position> {
    ("[0-9A-Za-z]{8}", prop_oneof![any::<u64>(), 0..200u64, Just(0), Just(u64::MAX)]).prop_map(|(epoch, offset)| position(&epoch, offset))
}
