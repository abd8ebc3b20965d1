//! Lifecycle events: changes of connections, for the services that requested them.

use gateway_core::model::{ChannelName, ConnectionId, Meta, UserId};
use serde_json::{json, value::to_raw_value};
use shared_proto::link::Event;

/// A kind of lifecycle event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifecycleKind {
    /// A frontend connected.
    Connected,
    /// A connection ended.
    Disconnected,
    /// A connection subscribed to a channel.
    Subscribed,
    /// A connection's subscription to a channel ended.
    Unsubscribed,
}

impl LifecycleKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Connected, Self::Disconnected, Self::Subscribed, Self::Unsubscribed];

    /// Its name in `hello.events` and `event.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}

/// The set of kinds that an instance requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interests(u8);

impl Interests {
    pub(super) fn only(kind: LifecycleKind) -> Self {
        Self(1 << kind as u8)
    }

    /// The kinds with these names, or the first unknown name.
    pub(super) fn parse(names: &[String]) -> Result<Self, &str> {
        names.iter().try_fold(Self::default(), |all, name| {
            let kind = LifecycleKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or(name.as_str())?;
            Ok(all.union(Self::only(kind)))
        })
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn bits(self) -> u8 {
        self.0
    }
}

/// A lifecycle event.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    /// The kind of the change.
    pub kind: LifecycleKind,
    /// The node of the connection and its generation, as one word.
    pub holder: Box<str>,
    /// The user behind the connection.
    pub user: UserId,
    /// The connection. Its events keep their order.
    pub connection: ConnectionId,
    /// What a service keeps with the connection.
    pub meta: Option<Meta>,
    /// The channel, if the event is about one.
    pub channel: Option<ChannelName>,
}

impl Lifecycle {
    pub(super) fn event(&self) -> Event {
        let mut data = serde_json::Map::new();
        if let Some(channel) = &self.channel {
            data.insert("channel".into(), json!(channel.as_str()));
        }
        // The other kinds may occur several times on a connection.
        // NL-7.4
        let is_once = matches!(self.kind, LifecycleKind::Connected | LifecycleKind::Disconnected);
        Event {
            id: is_once.then(|| format!("{}/{}/{}", self.holder, self.connection, self.kind.name())),
            kind: self.kind.name().into(),
            data: to_raw_value(&data).unwrap_or_else(|_| serde_json::value::RawValue::NULL.to_owned()),
            user: self.user.to_string(),
            connection: self.connection.to_string(),
            meta: self.meta.as_ref().map(|meta| meta.raw().to_owned()),
            traceparent: None,
            request: None,
        }
    }
}
