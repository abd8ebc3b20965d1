//! Frames of the frontend protocol for clients in Rust: the JSON form of the Centrifuge client protocol, version 2.
//!
//! A text message contains one or more JSON objects, one per line. These types omit some optional fields of the protocol.
//!
//! ```
//! use shared_proto::frontend::{Connect, Frame, Method};
//!
//! let connect = Method::Connect(Connect { token: Some("t".into()), ..Connect::default() }).with_id(1);
//! assert_eq!(serde_json::to_string(&connect)?, r#"{"id":1,"connect":{"token":"t"}}"#);
//!
//! let frame: Frame = serde_json::from_str(r#"{"push":{"channel":"news","pub":{"data":{"a":1},"offset":7}}}"#)?;
//! let publication = frame.push.and_then(|push| push.publication).ok_or("not a publication")?;
//! assert_eq!((publication.offset, publication.data.get()), (7, r#"{"a":1}"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::secret::Secret;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The answer to a ping of the gateway.
pub const PONG: &str = "{}";

/// A command and its id.
#[derive(Debug)]
pub struct Command {
    /// The reply has the same id. It is above 0, except for [`Method::Send`], which has no reply.
    pub id: u32,
    /// The method and its parameters.
    pub method: Method,
}

/// The methods of the protocol.
#[derive(Debug)]
#[non_exhaustive]
pub enum Method {
    /// Connect. This is the first command on a connection.
    Connect(Connect),
    /// Subscribe to a channel.
    Subscribe(Subscribe),
    /// End a subscription.
    Unsubscribe(Channel),
    /// Publish into a channel.
    Publish(Publish),
    /// List the subscribers of a channel.
    Presence(Channel),
    /// Count the subscribers of a channel.
    PresenceStats(Channel),
    /// Read a channel's history.
    History(History),
    /// Call a service.
    Rpc(Rpc),
    /// Send an event to a service: `{"service": …, "data": …}`.
    Send(Message),
}

impl Method {
    /// Makes a command of this method.
    pub fn with_id(self, id: u32) -> Command {
        Command { id, method: self }
    }
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.id > 0 {
            map.serialize_entry("id", &self.id)?;
        }
        match &self.method {
            Method::Connect(it) => map.serialize_entry("connect", it)?,
            Method::Subscribe(it) => map.serialize_entry("subscribe", it)?,
            Method::Unsubscribe(it) => map.serialize_entry("unsubscribe", it)?,
            Method::Publish(it) => map.serialize_entry("publish", it)?,
            Method::Presence(it) => map.serialize_entry("presence", it)?,
            Method::PresenceStats(it) => map.serialize_entry("presence_stats", it)?,
            Method::History(it) => map.serialize_entry("history", it)?,
            Method::Rpc(it) => map.serialize_entry("rpc", it)?,
            Method::Send(it) => map.serialize_entry("send", it)?,
        }
        map.end()
    }
}

/// See [`Method::Connect`].
#[derive(Debug, Default, Serialize)]
pub struct Connect {
    /// Connection token. `None` for an anonymous connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Server-side subscriptions to recover, by channel.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subs: BTreeMap<String, Subscribe>,
}

/// See [`Method::Subscribe`]. In [`Connect::subs`] the channel is empty.
#[derive(Debug, Default, Serialize)]
pub struct Subscribe {
    /// The channel.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub channel: String,
    /// Subscription token, if the namespace requires one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Whether to recover the publications after `epoch` and `offset`. An empty epoch means the current one. With an empty epoch and offset 0,
    /// recovery starts at the oldest publication of the history.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recover: bool,
    /// See `recover`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub epoch: String,
    /// See `recover`.
    pub offset: u64,
}

/// The parameters of a command that has only a channel.
#[derive(Debug, Serialize)]
pub struct Channel {
    /// The channel.
    pub channel: String,
}

/// See [`Method::Publish`].
#[derive(Debug, Serialize)]
pub struct Publish {
    /// The channel.
    pub channel: String,
    /// Any JSON. The gateway does not interpret it.
    pub data: Box<RawValue>,
}

/// See [`Method::History`].
#[derive(Debug, Serialize)]
pub struct History {
    /// The channel.
    pub channel: String,
    /// Maximum number of publications. 0: only the position. Negative: as many as the gateway allows.
    pub limit: i32,
    /// The position after which to read, or before which if `reverse` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<StreamPosition>,
    /// Whether to read the newest publication first.
    pub reverse: bool,
}

/// A position in a channel's history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPosition {
    /// The epoch.
    pub epoch: String,
    /// The offset of a publication in this epoch.
    pub offset: u64,
}

/// See [`Method::Rpc`].
#[derive(Debug, Serialize)]
pub struct Rpc {
    /// The service and its method: `service.method`.
    pub method: String,
    /// The argument of the call.
    pub data: Box<RawValue>,
}

/// Any JSON, sent in either direction.
#[derive(Debug, Serialize, Deserialize)]
pub struct Message {
    /// The JSON.
    pub data: Box<RawValue>,
}

/// A frame from the gateway. A reply has an id, a push has the member `push`, and a ping is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Frame {
    /// The id of the command to which this is the reply. 0 for pushes and pings.
    pub id: u32,
    /// The error of a failed command.
    pub error: Option<Error>,
    /// A message that the gateway sends by itself.
    pub push: Option<Push>,
    /// The reply to [`Method::Connect`].
    pub connect: Option<Connected>,
    /// The reply to [`Method::Subscribe`].
    pub subscribe: Option<Subscribed>,
    /// The reply to [`Method::History`].
    pub history: Option<HistoryPage>,
    /// The reply to [`Method::Presence`].
    pub presence: Option<Presence>,
    /// The reply to [`Method::PresenceStats`].
    pub presence_stats: Option<PresenceStats>,
    /// The reply to [`Method::Rpc`].
    pub rpc: Option<Message>,
}

impl Frame {
    /// Whether this is a ping. The client answers it with [`PONG`].
    pub fn is_ping(&self) -> bool {
        self.id == 0 && self.push.is_none()
    }
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Error {
    /// A code of [`crate::errors`], or a code that a service defines.
    pub code: u32,
    /// Explanation for people.
    #[serde(default)]
    pub message: String,
    /// Whether the same command may succeed later.
    #[serde(default)]
    pub temporary: bool,
}

/// The reply to [`Method::Connect`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Connected {
    /// Id of the connection.
    pub client: String,
    /// Name of the node to which the client is connected. On a stream, the address of its process.
    pub node: String,
    /// What requests with commands for this connection name. Only on a stream.
    pub session: String,
    /// Interval of the gateway's pings in seconds.
    pub ping: u32,
    /// Seconds until the token expires. 0: it does not expire.
    pub ttl: u32,
    /// Server-side subscriptions, by channel.
    pub subs: BTreeMap<String, Subscribed>,
}

/// The initial state of a subscription.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Subscribed {
    /// Whether the channel has positions, so that a later subscription can recover.
    pub recoverable: bool,
    /// The channel's current epoch.
    pub epoch: String,
    /// The offset before the first of `publications`.
    pub offset: u64,
    /// Whether the client requested a recovery.
    pub was_recovering: bool,
    /// Whether the recovery is complete.
    pub recovered: bool,
    /// The first page of the recovered publications.
    pub publications: Vec<Publication>,
    /// Seconds until the token expires. 0: it does not expire.
    pub ttl: u32,
}

/// A page of a channel's history.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HistoryPage {
    /// The publications, in the requested order.
    pub publications: Vec<Publication>,
    /// The channel's current epoch.
    pub epoch: String,
    /// The offset of the newest publication.
    pub offset: u64,
}

/// The subscribers of a channel.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Presence {
    /// The subscribers, by the id of their connection.
    pub presence: BTreeMap<String, ClientInfo>,
}

/// The number of subscribers of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PresenceStats {
    /// Number of connections.
    pub num_clients: u32,
    /// Number of different users.
    pub num_users: u32,
}

/// A message that the gateway sends by itself. One of its optional members is set.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Push {
    /// The channel. Empty for messages and disconnects.
    pub channel: String,
    /// A publication.
    #[serde(rename = "pub")]
    pub publication: Option<Publication>,
    /// A connection subscribed to the channel.
    pub join: Option<Member>,
    /// A connection left the channel.
    pub leave: Option<Member>,
    /// The gateway subscribed this connection to the channel.
    pub subscribe: Option<Subscribed>,
    /// The gateway ended the subscription.
    pub unsubscribe: Option<Ended>,
    /// A message outside any channel.
    pub message: Option<Message>,
    /// The last push, on a transport without close codes.
    pub disconnect: Option<Ended>,
}

/// Why a subscription or a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ended {
    /// A code of [`crate::errors`].
    pub code: u16,
    /// Explanation for people.
    #[serde(default)]
    pub reason: String,
}

/// One publication of a channel.
#[derive(Debug, Deserialize)]
pub struct Publication {
    /// Any JSON. The gateway does not interpret it. Text is a string, with the tag `content-type`. Bytes are a base64 string, with the tag
    /// `encoding` as well.
    pub data: Box<RawValue>,
    /// Its offset in the history. 0 if it is not stored.
    #[serde(default)]
    pub offset: u64,
    /// The publisher's tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The connection of the frontend that published it. `None` if a service published it.
    #[serde(default)]
    pub info: Option<ClientInfo>,
    /// The time at which the gateway accepted it, in milliseconds since 1970.
    #[serde(default)]
    pub time: u64,
}

/// The connection that joined or left a channel.
#[derive(Debug, Deserialize)]
pub struct Member {
    /// The connection.
    pub info: ClientInfo,
}

/// The public information about a connection.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClientInfo {
    /// The user. Empty for an anonymous connection.
    pub user: String,
    /// The id of the connection.
    pub client: String,
    /// JSON from the connection's token.
    pub conn_info: Option<Box<RawValue>>,
    /// JSON from the subscription's token.
    pub chan_info: Option<Box<RawValue>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(method: Method, id: u32) -> String {
        serde_json::to_string(&method.with_id(id)).expect("serializable")
    }

    #[test]
    fn a_command_contains_its_method() {
        let raw = || RawValue::from_string("{\"a\":1}".into()).expect("valid JSON");
        let from = Subscribe { recover: true, epoch: "e".into(), offset: 3, ..Subscribe::default() };
        let connect = Connect { token: None, subs: [("news".to_owned(), from)].into() };
        assert_eq!(json(Method::Connect(connect), 1), r#"{"id":1,"connect":{"subs":{"news":{"recover":true,"epoch":"e","offset":3}}}}"#);
        assert_eq!(json(Method::Send(Message { data: raw() }), 0), r#"{"send":{"data":{"a":1}}}"#);
        let rpc = Rpc { method: "bot.say".into(), data: raw() };
        assert_eq!(json(Method::Rpc(rpc), 2), r#"{"id":2,"rpc":{"method":"bot.say","data":{"a":1}}}"#);
    }

    #[test]
    fn replies_pushes_and_pings_are_distinguished() {
        let frame = |text| serde_json::from_str::<Frame>(text).expect("a frame");
        assert!(frame("{}").is_ping());
        let refused = frame(r#"{"id":3,"error":{"code":111,"message":"slow down","temporary":true}}"#);
        assert!(!refused.is_ping());
        assert_eq!(refused.error, Some(Error { code: 111, message: "slow down".into(), temporary: true }));
        let ended = frame(r#"{"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"r"}}}"#);
        assert_eq!(ended.push.and_then(|push| push.unsubscribe), Some(Ended { code: 2500, reason: "r".into() }));
    }
}
