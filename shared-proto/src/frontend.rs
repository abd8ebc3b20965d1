//! Frames of the frontend protocol, as a client in Rust writes and reads them: the JSON form of the Centrifuge client protocol, version 2.
//!
//! A text message holds one or several objects, one a line. Fields that a client may do without are left out here.
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

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The answer to a server's ping.
pub const PONG: &str = "{}";

/// A command and the id that its reply will have.
#[derive(Debug)]
pub struct Command {
    /// Above 0, and 0 for [`Method::Send`], which has no reply.
    pub id: u32,
    /// What is asked.
    pub method: Method,
}

/// What a frontend may ask.
#[derive(Debug)]
#[non_exhaustive]
pub enum Method {
    /// First of all.
    Connect(Connect),
    /// Subscribe to a channel.
    Subscribe(Subscribe),
    /// End a subscription.
    Unsubscribe(Channel),
    /// Publish into a channel.
    Publish(Publish),
    /// Who is there.
    Presence(Channel),
    /// How many are there.
    PresenceStats(Channel),
    /// Read a channel's stream.
    History(History),
    /// Call a service.
    Rpc(Rpc),
    /// An event for a service: `{"service": …, "data": …}`.
    Send(Message),
}

impl Method {
    /// The command that asks this.
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
    /// Connection token; none for anonymous.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Server-side subscriptions to recover, by channel.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subs: BTreeMap<String, Subscribe>,
}

/// See [`Method::Subscribe`]. In [`Connect::subs`] the channel stays empty.
#[derive(Debug, Default, Serialize)]
pub struct Subscribe {
    /// Where to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub channel: String,
    /// Subscription token, where the namespace wants one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Whether to go on from `epoch` and `offset`. An empty epoch stands for the current one; with offset 0 it is from the first that is held.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recover: bool,
    /// See `recover`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub epoch: String,
    /// See `recover`.
    pub offset: u64,
}

/// A command about a channel as a whole.
#[derive(Debug, Serialize)]
pub struct Channel {
    /// Which.
    pub channel: String,
}

/// See [`Method::Publish`].
#[derive(Debug, Serialize)]
pub struct Publish {
    /// Where to.
    pub channel: String,
    /// Opaque JSON.
    pub data: Box<RawValue>,
}

/// See [`Method::History`].
#[derive(Debug, Serialize)]
pub struct History {
    /// Which stream.
    pub channel: String,
    /// Publications wanted; 0: only the position; below 0: as many as allowed.
    pub limit: i32,
    /// From where on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<StreamPosition>,
    /// Newest first.
    pub reverse: bool,
}

/// A place in a channel's stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPosition {
    /// The timeline.
    pub epoch: String,
    /// The last publication that is behind.
    pub offset: u64,
}

/// See [`Method::Rpc`].
#[derive(Debug, Serialize)]
pub struct Rpc {
    /// `service.name`.
    pub method: String,
    /// Its argument.
    pub data: Box<RawValue>,
}

/// Opaque JSON in either direction.
#[derive(Debug, Serialize, Deserialize)]
pub struct Message {
    /// The JSON.
    pub data: Box<RawValue>,
}

/// What the gateway sends: a reply has an id, a push has `push`, and a ping has nothing at all.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Frame {
    /// Of the command; 0 for pushes and pings.
    pub id: u32,
    /// It failed.
    pub error: Option<Error>,
    /// What comes without being asked for.
    pub push: Option<Push>,
    /// Connected.
    pub connect: Option<Connected>,
    /// Subscribed.
    pub subscribe: Option<Subscribed>,
    /// The stream that was asked for.
    pub history: Option<HistoryPage>,
    /// Who is there, by connection.
    pub presence: Option<Presence>,
    /// How many are there.
    pub presence_stats: Option<PresenceStats>,
    /// The service's answer.
    pub rpc: Option<Message>,
}

impl Frame {
    /// Whether this is a ping, to be answered by [`PONG`].
    pub fn is_ping(&self) -> bool {
        self.id == 0 && self.push.is_none()
    }
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Error {
    /// See [`crate::errors`]; a service's own codes are its own.
    pub code: u32,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// Whether the same command may succeed later.
    #[serde(default)]
    pub temporary: bool,
}

/// The answer to a connect.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Connected {
    /// Id of the connection.
    pub client: String,
    /// The node that holds it.
    pub node: String,
    /// Seconds between pings.
    pub ping: u32,
    /// Seconds until the token has to be refreshed; 0: it does not expire.
    pub ttl: u32,
    /// Server-side subscriptions, by channel.
    pub subs: BTreeMap<String, Subscribed>,
}

/// The state in which a subscription starts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Subscribed {
    /// Whether the channel has positions, from which a later subscribe may go on.
    pub recoverable: bool,
    /// The timeline.
    pub epoch: String,
    /// The position before `publications`.
    pub offset: u64,
    /// A recovery was asked for.
    pub was_recovering: bool,
    /// Nothing is missing.
    pub recovered: bool,
    /// The first page of what was missed.
    pub publications: Vec<Publication>,
    /// Seconds until the token has to be refreshed; 0: it does not expire.
    pub ttl: u32,
}

/// A page of a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HistoryPage {
    /// In the order asked for.
    pub publications: Vec<Publication>,
    /// The timeline.
    pub epoch: String,
    /// Of the newest publication.
    pub offset: u64,
}

/// Who is in a channel.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Presence {
    /// By connection.
    pub presence: BTreeMap<String, ClientInfo>,
}

/// How many are in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PresenceStats {
    /// Connections.
    pub num_clients: u32,
    /// Different users.
    pub num_users: u32,
}

/// What comes without being asked for. `channel` is empty for messages and disconnects.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Push {
    /// Which channel.
    pub channel: String,
    /// A publication.
    #[serde(rename = "pub")]
    pub publication: Option<Publication>,
    /// Somebody subscribed.
    pub join: Option<Member>,
    /// Somebody left.
    pub leave: Option<Member>,
    /// The server subscribed this connection.
    pub subscribe: Option<Subscribed>,
    /// The server ended a subscription.
    pub unsubscribe: Option<Ended>,
    /// A message outside any channel.
    pub message: Option<Message>,
    /// The last push of a transport without close codes.
    pub disconnect: Option<Ended>,
}

/// Code and reason of an end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ended {
    /// See [`crate::errors`].
    pub code: u16,
    /// For people.
    #[serde(default)]
    pub reason: String,
}

/// One message of a channel.
#[derive(Debug, Deserialize)]
pub struct Publication {
    /// Opaque JSON.
    pub data: Box<RawValue>,
    /// Its place in the stream; 0 for what is not stored.
    #[serde(default)]
    pub offset: u64,
    /// What the publisher put beside the data.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The frontend that published it; none where a service did.
    #[serde(default)]
    pub info: Option<ClientInfo>,
    /// Milliseconds since 1970 when the gateway took it.
    #[serde(default)]
    pub time: u64,
}

/// Who joined or left.
#[derive(Debug, Deserialize)]
pub struct Member {
    /// The connection.
    pub info: ClientInfo,
}

/// A connection as others see it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClientInfo {
    /// Empty for anonymous.
    pub user: String,
    /// The connection.
    pub client: String,
    /// From the connection's token.
    pub conn_info: Option<Box<RawValue>>,
    /// From the subscription's token.
    pub chan_info: Option<Box<RawValue>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(method: Method, id: u32) -> String {
        serde_json::to_string(&method.with_id(id)).expect("serializable")
    }

    #[test]
    fn commands_name_their_method() {
        let raw = || RawValue::from_string("{\"a\":1}".into()).expect("valid JSON");
        let from = Subscribe { recover: true, epoch: "e".into(), offset: 3, ..Subscribe::default() };
        let connect = Connect { token: None, subs: [("news".to_owned(), from)].into() };
        assert_eq!(json(Method::Connect(connect), 1), r#"{"id":1,"connect":{"subs":{"news":{"recover":true,"epoch":"e","offset":3}}}}"#);
        assert_eq!(json(Method::Send(Message { data: raw() }), 0), r#"{"send":{"data":{"a":1}}}"#);
        let rpc = Rpc { method: "bot.say".into(), data: raw() };
        assert_eq!(json(Method::Rpc(rpc), 2), r#"{"id":2,"rpc":{"method":"bot.say","data":{"a":1}}}"#);
    }

    #[test]
    fn frames_are_replies_pushes_and_pings() {
        let frame = |text| serde_json::from_str::<Frame>(text).expect("a frame");
        assert!(frame("{}").is_ping());
        let refused = frame(r#"{"id":3,"error":{"code":111,"message":"slow down","temporary":true}}"#);
        assert!(!refused.is_ping());
        assert_eq!(refused.error, Some(Error { code: 111, message: "slow down".into(), temporary: true }));
        let ended = frame(r#"{"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"r"}}}"#);
        assert_eq!(ended.push.and_then(|push| push.unsubscribe), Some(Ended { code: 2500, reason: "r".into() }));
    }
}
