//! One lifecycle event, and its form for links and webhooks.

use super::{kinds::LifecycleKind, receipt::Receipt};
use gateway_core::model::{ChannelName, ConnectionId, Meta, UserId};
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};
use shared_proto::{link, webhook};
use std::time::SystemTime;

/// A lifecycle event.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    /// What changed.
    pub change: Change,
    /// When the gateway noticed the change, in milliseconds since 1970.
    pub time_ms: u64,
    /// Tells the registry that the event needs no further attempt; none if no registry has it.
    pub receipt: Option<Receipt>,
}

/// What changed.
#[derive(Clone, Debug)]
pub enum Change {
    /// A frontend connected.
    Connected(Origin),
    /// A connection ended.
    Disconnected(Origin, End),
    /// A connection subscribed to a channel.
    Subscribed(Origin, Subscription),
    /// A connection's subscription to a channel ended.
    Unsubscribed(Origin, Subscription, End),
    /// A channel got its first subscriber in the cluster.
    Occupied(Occupation),
    /// A channel lost its last subscriber in the cluster.
    Vacated(Occupation),
}

/// The connection of an event.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The node of the connection and its generation, as one word with a slash between them.
    pub holder: Box<str>,
    /// The connection. Its events keep their order.
    pub connection: ConnectionId,
    /// The user behind the connection.
    pub user: UserId,
    /// What a service keeps with the connection; none if its node died.
    pub meta: Option<Meta>,
}

/// The subscription of an event.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The channel.
    pub channel: ChannelName,
    /// Distinguishes the subscriptions of one connection.
    pub number: u64,
}

/// Why a connection or a subscription ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// A close code of the connection, or an unsubscribe code; `docs/lifecycle.md` lists those that are in no other table.
    pub code: u16,
    /// The reason that belongs to the code, at most 123 bytes.
    pub reason: Box<str>,
}

impl End {
    /// An end with this code and reason.
    pub fn new(code: u16, reason: impl Into<Box<str>>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// The connection ended without a close frame.
    pub fn broken() -> Self {
        Self::new(1006, "the connection broke")
    }

    /// The connection ended with its node.
    pub fn with_node() -> Self {
        Self::new(1006, "the node died")
    }
}

/// The time from the first subscriber of a channel to its last one, over all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Occupation {
    /// The channel.
    pub channel: ChannelName,
    /// Grows with each occupation of the channel.
    pub generation: u64,
}

impl Lifecycle {
    /// An event about a change that the gateway notices now.
    pub fn new(change: Change) -> Self {
        let time_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        Self { change, time_ms, receipt: None }
    }

    /// The same event with this receipt.
    #[must_use]
    pub fn with_receipt(self, receipt: Option<Receipt>) -> Self {
        Self { receipt, ..self }
    }

    /// Its kind.
    pub fn kind(&self) -> LifecycleKind {
        match self.change {
            Change::Connected(..) => LifecycleKind::Connected,
            Change::Disconnected(..) => LifecycleKind::Disconnected,
            Change::Subscribed(..) => LifecycleKind::Subscribed,
            Change::Unsubscribed(..) => LifecycleKind::Unsubscribed,
            Change::Occupied(..) => LifecycleKind::Occupied,
            Change::Vacated(..) => LifecycleKind::Vacated,
        }
    }

    /// What the event is about: events with the same subject keep their order and go to the same instance.
    pub(in crate::services) fn subject(&self) -> String {
        match self.occupation() {
            Some(occupation) => occupation.channel.to_string(),
            None => self.origin().map(|origin| origin.connection.to_string()).unwrap_or_default(),
        }
    }

    // NL-7.4
    /// The id, the same whichever node sends the event and however often.
    pub(in crate::services) fn id(&self) -> String {
        let kind = self.kind().name();
        match &self.change {
            Change::Connected(Origin { holder, connection, .. }) | Change::Disconnected(Origin { holder, connection, .. }, _) => {
                format!("{holder}/{connection}/{kind}")
            }
            Change::Subscribed(Origin { holder, connection, .. }, Subscription { number, .. })
            | Change::Unsubscribed(Origin { holder, connection, .. }, Subscription { number, .. }, _) => {
                format!("{holder}/{connection}/{number}/{kind}")
            }
            Change::Occupied(Occupation { channel, generation }) | Change::Vacated(Occupation { channel, generation }) => {
                format!("{channel}/{generation}/{kind}")
            }
        }
    }

    fn origin(&self) -> Option<&Origin> {
        match &self.change {
            Change::Connected(origin)
            | Change::Disconnected(origin, _)
            | Change::Subscribed(origin, _)
            | Change::Unsubscribed(origin, ..) => Some(origin),
            Change::Occupied(_) | Change::Vacated(_) => None,
        }
    }

    fn occupation(&self) -> Option<&Occupation> {
        match &self.change {
            Change::Occupied(occupation) | Change::Vacated(occupation) => Some(occupation),
            _ => None,
        }
    }

    fn generation(&self) -> String {
        match self.occupation() {
            Some(occupation) => occupation.generation.to_string(),
            None => self.origin().and_then(|origin| origin.holder.split_once('/')).unwrap_or_default().1.into(),
        }
    }

    fn user(&self) -> String {
        self.origin().map(|origin| origin.user.to_string()).unwrap_or_default()
    }

    fn connection(&self) -> String {
        self.origin().map(|origin| origin.connection.to_string()).unwrap_or_default()
    }

    fn meta(&self) -> Option<Box<RawValue>> {
        self.origin().and_then(|origin| origin.meta.as_ref()).map(|meta| meta.raw().to_owned())
    }

    fn data(&self) -> Box<RawValue> {
        let (channel, end) = match &self.change {
            Change::Connected(_) => (None, None),
            Change::Disconnected(_, end) => (None, Some(end)),
            Change::Unsubscribed(_, Subscription { channel, .. }, end) => (Some(channel), Some(end)),
            Change::Subscribed(_, Subscription { channel, .. })
            | Change::Occupied(Occupation { channel, .. })
            | Change::Vacated(Occupation { channel, .. }) => (Some(channel), None),
        };
        let mut data = serde_json::Map::new();
        if let Some(channel) = channel {
            data.insert("channel".into(), json!(channel.as_str()));
        }
        if let Some(End { code, reason }) = end {
            data.insert("code".into(), json!(code));
            data.insert("reason".into(), json!(reason));
        }
        to_raw_value(&data).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

impl From<&Lifecycle> for link::Event {
    fn from(event: &Lifecycle) -> Self {
        Self {
            id: Some(event.id()),
            kind: event.kind().name().into(),
            method: None,
            attempt: None,
            partition: None,
            key: None,
            generation: Some(event.generation()),
            time: Some(event.time_ms),
            data: event.data(),
            user: event.user(),
            connection: event.connection(),
            meta: event.meta(),
            traceparent: None,
            request: None,
        }
    }
}

impl From<&Lifecycle> for webhook::Event {
    fn from(event: &Lifecycle) -> Self {
        Self {
            id: event.id(),
            kind: event.kind().name().into(),
            method: None,
            attempt: None,
            partition: None,
            key: None,
            generation: Some(event.generation()),
            time: Some(event.time_ms),
            data: event.data(),
            user: event.user(),
            connection: event.connection(),
            meta: event.meta(),
            request: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_an_id_a_generation_a_time_and_what_changed() {
        let connection = ConnectionId::random();
        let origin = || Origin { holder: "n1/5fb3.2".into(), connection, user: "alice".parse().expect("valid"), meta: None };
        let subscription = || Subscription { channel: "chat:a".parse().expect("valid"), number: 7 };
        let occupation = || Occupation { channel: "chat:a".parse().expect("valid"), generation: 1_795_891_200_000 };
        let (of_node, of_channel) = ("5fb3.2", "1795891200000");
        for (change, id, generation, data) in [
            (Change::Connected(origin()), format!("n1/5fb3.2/{connection}/connected"), of_node, json!({})),
            (
                Change::Disconnected(origin(), End::new(3005, "expired")),
                format!("n1/5fb3.2/{connection}/disconnected"),
                of_node,
                json!({"code": 3005, "reason": "expired"}),
            ),
            (
                Change::Subscribed(origin(), subscription()),
                format!("n1/5fb3.2/{connection}/7/subscribed"),
                of_node,
                json!({"channel": "chat:a"}),
            ),
            (
                Change::Unsubscribed(origin(), subscription(), End::broken()),
                format!("n1/5fb3.2/{connection}/7/unsubscribed"),
                of_node,
                json!({"channel": "chat:a", "code": 1006, "reason": "the connection broke"}),
            ),
            (Change::Occupied(occupation()), "chat:a/1795891200000/occupied".into(), of_channel, json!({"channel": "chat:a"})),
            (Change::Vacated(occupation()), "chat:a/1795891200000/vacated".into(), of_channel, json!({"channel": "chat:a"})),
        ] {
            let event = Lifecycle { time_ms: 12, ..Lifecycle::new(change) };
            let of_link = serde_json::to_value(link::Event::from(&event)).expect("JSON");
            assert_eq!(of_link, serde_json::to_value(webhook::Event::from(&event)).expect("JSON"), "both have the same form");
            assert_eq!((&of_link["id"], &of_link["generation"], &of_link["time"]), (&json!(id), &json!(generation), &json!(12)));
            assert_eq!((&of_link["data"], &of_link["kind"]), (&data, &json!(event.kind().name())));
            let is_of_channel = generation == of_channel;
            assert_eq!(of_link["user"], if is_of_channel { "" } else { "alice" });
            assert_eq!(of_link["connection"], if is_of_channel { String::new() } else { connection.to_string() });
        }
    }
}
