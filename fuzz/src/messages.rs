//! The invariant of messages of services: frames of links, bodies of REST, and answers of webhooks.

use serde::{Serialize, de::DeserializeOwned};
use shared_proto::{guard, json, link, rest, webhook};

/// Checks that a message is read without a panic; that an error names a place of the message; and that what was read is written so that it
/// means the same.
///
/// The first byte of `data` is the kind of message.
pub fn check(data: &[u8]) {
    let [kind, text @ ..] = data else { return };
    match kind % 9 {
        0 => round_trip::<link::ToGateway>(text),
        1 => round_trip::<link::ToService>(text),
        2 => round_trip::<rest::PublishRequest>(text),
        3 => round_trip::<rest::BatchRequest>(text),
        4 => round_trip::<rest::BroadcastRequest>(text),
        5 => round_trip::<rest::SubscriptionRequest>(text),
        6 => round_trip::<guard::ConnectAnswer>(text),
        7 => round_trip::<guard::SubscribeAnswer>(text),
        _ => round_trip::<webhook::Message>(text),
    }
}

fn round_trip<T: Serialize + DeserializeOwned>(text: &[u8]) {
    let message: T = match json::read_bytes(text) {
        Ok(message) => message,
        Err(error) => {
            assert!(!error.message().is_empty());
            return;
        }
    };
    let written = serde_json::to_string(&message).expect("a message has a text");
    let again: T = json::read(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
    assert_eq!(serde_json::to_string(&again).expect("a message has a text"), written);
}
