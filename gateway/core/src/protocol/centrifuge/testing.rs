//! Reads replies and pushes as a client does. The types follow `client.proto`, apart from the code that writes.

use super::{Codec, protobuf::split_message};
use crate::protocol::fossil;
use prost::Message;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::{collections::BTreeMap, ops::Not};

/// The messages in the payload of a frame, as the JSON that a client with the JSON encoding gets. Numbers that are 0 may be absent or present.
/// The error says what is wrong with the payload.
pub fn read_replies(codec: Codec, payload: &[u8]) -> Result<Vec<Value>, String> {
    match codec {
        Codec::Json => {
            let text = std::str::from_utf8(payload).map_err(|error| error.to_string())?;
            text.lines().map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))).collect()
        }
        Codec::Protobuf => {
            let mut rest = payload;
            let mut replies = Vec::new();
            while !rest.is_empty() {
                let message = split_message(&mut rest).map_err(|error| error.to_string())?;
                let reply = Reply::decode(message).map_err(|error| error.to_string())?;
                replies.push(serde_json::to_value(reply).map_err(|error| error.to_string())?);
            }
            Ok(replies)
        }
    }
}

/// Removes the members that Protobuf does not write: 0, false, and empty texts and lists.
pub fn without_defaults(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let is_default =
                |value: &Value| *value == 0 || *value == "" || *value == Value::Bool(false) || *value == Value::Array(Vec::new());
            let members = members.into_iter().map(|(name, value)| (name, without_defaults(value)));
            Value::Object(members.filter(|(_, value)| !is_default(value)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_defaults).collect()),
        other => other,
    }
}

/// A connect, subscribe, send or rpc command as the payload of a frame. `command` is its JSON form.
pub fn write_command(codec: Codec, command: &Value) -> Vec<u8> {
    match codec {
        Codec::Json => command.to_string().into_bytes(),
        Codec::Protobuf => serde_json::from_value::<ClientCommand>(command.clone()).expect("known fields").encode_length_delimited_to_vec(),
    }
}

/// The answer to a ping, as the payload of a frame.
pub fn pong(codec: Codec) -> &'static [u8] {
    match codec {
        Codec::Json => b"{}",
        Codec::Protobuf => b"\0",
    }
}

/// JSON, or a delta, which is a string then.
fn json<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let delta = || String::from_utf8(bytes.to_vec()).map(Value::String).map_err(serde::ser::Error::custom);
    serde_json::from_slice::<Value>(bytes).or_else(|_| delta())?.serialize(serializer)
}

/// Makes the data of publications from deltas, as an SDK does.
#[derive(Debug, Default)]
pub struct DeltaReader {
    previous: Option<Vec<u8>>,
}

impl DeltaReader {
    /// The data of the next publication of a subscription with deltas. `publication` comes from [`read_replies`]. The error says why the data
    /// cannot be made.
    pub fn data(&mut self, codec: Codec, publication: &Value) -> Result<Value, String> {
        let data = &publication["data"];
        let text = || data.as_str().map(|text| text.as_bytes().to_vec()).ok_or_else(|| format!("{data} is not a string"));
        let whole = match (publication.get("delta").is_some(), codec) {
            (true, _) => {
                let previous = self.previous.as_ref().ok_or("a delta came first")?;
                fossil::apply(previous, &text()?).ok_or_else(|| format!("{data} is no delta to the publication before it"))?
            }
            (false, Codec::Json) => text()?,
            (false, Codec::Protobuf) => data.to_string().into_bytes(),
        };
        let data = serde_json::from_slice(&whole).map_err(|error| error.to_string())?;
        self.previous = Some(whole);
        Ok(data)
    }
}

/// Content that is JSON, or text, or bytes, which become base64.
fn content<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match (serde_json::from_slice::<Value>(bytes), std::str::from_utf8(bytes)) {
        (Ok(value), _) => value.serialize(serializer),
        (_, Ok(text)) => text.serialize(serializer),
        (_, Err(_)) => shared_proto::json::base64::encode(bytes).serialize(serializer),
    }
}

macro_rules! message {
    ($name:ident { $($(#[$field:meta])* $field_name:ident: $type:ty,)* }) => {
        #[derive(Clone, PartialEq, Message, Serialize)]
        struct $name { $($(#[$field])* $field_name: $type,)* }
    };
}

message!(Reply {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ProtocolError>,
    #[prost(message, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<Push>,
    #[prost(message, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<ConnectResult>,
    #[prost(message, optional, tag = "6")]
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribe: Option<SubscribeResult>,
    #[prost(message, optional, tag = "7")]
    #[serde(skip_serializing_if = "Option::is_none")]
    unsubscribe: Option<Empty>,
    #[prost(message, optional, tag = "8")]
    #[serde(skip_serializing_if = "Option::is_none")]
    publish: Option<Empty>,
    #[prost(message, optional, tag = "9")]
    #[serde(skip_serializing_if = "Option::is_none")]
    presence: Option<PresenceResult>,
    #[prost(message, optional, tag = "10")]
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_stats: Option<PresenceStatsResult>,
    #[prost(message, optional, tag = "11")]
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<HistoryResult>,
    #[prost(message, optional, tag = "12")]
    #[serde(skip_serializing_if = "Option::is_none")]
    ping: Option<Empty>,
    #[prost(message, optional, tag = "13")]
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc: Option<Payload>,
    #[prost(message, optional, tag = "14")]
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<RefreshResult>,
    #[prost(message, optional, tag = "15")]
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_refresh: Option<SubRefreshResult>,
});

message!(Empty {});

message!(ProtocolError {
    #[prost(uint32, tag = "1")]
    code: u32,
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    #[prost(bool, tag = "3")]
    #[serde(skip_serializing_if = "Not::not")]
    temporary: bool,
});

message!(Push {
    #[prost(int64, tag = "1")]
    id: i64,
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    channel: String,
    #[prost(message, optional, tag = "4")]
    #[serde(rename = "pub", skip_serializing_if = "Option::is_none")]
    publication: Option<Publication>,
    #[prost(message, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    join: Option<PresenceEvent>,
    #[prost(message, optional, tag = "6")]
    #[serde(skip_serializing_if = "Option::is_none")]
    leave: Option<PresenceEvent>,
    #[prost(message, optional, tag = "7")]
    #[serde(skip_serializing_if = "Option::is_none")]
    unsubscribe: Option<Unsubscribe>,
    #[prost(message, optional, tag = "8")]
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Payload>,
    #[prost(message, optional, tag = "9")]
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribe: Option<Subscribe>,
    #[prost(message, optional, tag = "11")]
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect: Option<Disconnect>,
});

message!(Payload {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(serialize_with = "json")]
    data: Vec<u8>,
});

message!(ClientInfo {
    #[prost(string, tag = "1")]
    user: String,
    #[prost(string, tag = "2")]
    client: String,
    #[prost(bytes = "vec", tag = "3")]
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "json")]
    conn_info: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "json")]
    chan_info: Vec<u8>,
});

message!(Publication {
    #[prost(bytes = "vec", tag = "4")]
    #[serde(serialize_with = "content")]
    data: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<ClientInfo>,
    #[prost(uint64, tag = "6")]
    offset: u64,
    #[prost(btree_map = "string, string", tag = "7")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[prost(bool, tag = "8")]
    #[serde(skip_serializing_if = "Not::not")]
    delta: bool,
    #[prost(int64, tag = "9")]
    time: i64,
});

message!(PresenceEvent {
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<ClientInfo>,
});

message!(Disconnect {
    #[prost(uint32, tag = "1")]
    code: u32,
    #[prost(string, tag = "2")]
    reason: String,
});

message!(Unsubscribe {
    #[prost(uint32, tag = "2")]
    code: u32,
    #[prost(string, tag = "3")]
    reason: String,
});

message!(Subscribe {
    #[prost(bool, tag = "1")]
    #[serde(skip_serializing_if = "Not::not")]
    recoverable: bool,
    #[prost(string, tag = "4")]
    #[serde(skip_serializing_if = "String::is_empty")]
    epoch: String,
    #[prost(uint64, tag = "5")]
    offset: u64,
    #[prost(bool, tag = "6")]
    #[serde(skip_serializing_if = "Not::not")]
    positioned: bool,
});

message!(ConnectResult {
    #[prost(string, tag = "1")]
    client: String,
    #[prost(string, tag = "2")]
    version: String,
    #[prost(bool, tag = "3")]
    #[serde(skip_serializing_if = "Not::not")]
    expires: bool,
    #[prost(uint32, tag = "4")]
    ttl: u32,
    #[prost(bytes = "vec", tag = "5")]
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "json")]
    data: Vec<u8>,
    #[prost(btree_map = "string, message", tag = "6")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    subs: BTreeMap<String, SubscribeResult>,
    #[prost(uint32, tag = "7")]
    ping: u32,
    #[prost(bool, tag = "8")]
    #[serde(skip_serializing_if = "Not::not")]
    pong: bool,
    #[prost(string, tag = "9")]
    session: String,
    #[prost(string, tag = "10")]
    node: String,
    #[prost(int64, tag = "11")]
    time: i64,
});

message!(SubscribeResult {
    #[prost(bool, tag = "1")]
    #[serde(skip_serializing_if = "Not::not")]
    expires: bool,
    #[prost(uint32, tag = "2")]
    ttl: u32,
    #[prost(bool, tag = "3")]
    #[serde(skip_serializing_if = "Not::not")]
    recoverable: bool,
    #[prost(string, tag = "6")]
    #[serde(skip_serializing_if = "String::is_empty")]
    epoch: String,
    #[prost(message, repeated, tag = "7")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    publications: Vec<Publication>,
    #[prost(bool, tag = "8")]
    #[serde(skip_serializing_if = "Not::not")]
    recovered: bool,
    #[prost(uint64, tag = "9")]
    offset: u64,
    #[prost(bool, tag = "10")]
    #[serde(skip_serializing_if = "Not::not")]
    positioned: bool,
    #[prost(bytes = "vec", tag = "11")]
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "json")]
    data: Vec<u8>,
    #[prost(bool, tag = "12")]
    #[serde(skip_serializing_if = "Not::not")]
    was_recovering: bool,
    #[prost(bool, tag = "13")]
    #[serde(skip_serializing_if = "Not::not")]
    delta: bool,
    #[prost(int64, tag = "14")]
    id: i64,
});

message!(PresenceResult {
    #[prost(btree_map = "string, message", tag = "1")]
    presence: BTreeMap<String, ClientInfo>,
});

message!(PresenceStatsResult {
    #[prost(uint32, tag = "1")]
    num_clients: u32,
    #[prost(uint32, tag = "2")]
    num_users: u32,
});

message!(HistoryResult {
    #[prost(message, repeated, tag = "1")]
    publications: Vec<Publication>,
    #[prost(string, tag = "2")]
    epoch: String,
    #[prost(uint64, tag = "3")]
    offset: u64,
});

message!(RefreshResult {
    #[prost(string, tag = "1")]
    client: String,
    #[prost(string, tag = "2")]
    version: String,
    #[prost(bool, tag = "3")]
    #[serde(skip_serializing_if = "Not::not")]
    expires: bool,
    #[prost(uint32, tag = "4")]
    ttl: u32,
});

message!(SubRefreshResult {
    #[prost(bool, tag = "1")]
    #[serde(skip_serializing_if = "Not::not")]
    expires: bool,
    #[prost(uint32, tag = "2")]
    ttl: u32,
});

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ClientCommand {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(message, optional, tag = "4")]
    connect: Option<ConnectCommand>,
    #[prost(message, optional, tag = "5")]
    subscribe: Option<SubscribeCommand>,
    #[prost(message, optional, tag = "12")]
    send: Option<SendCommand>,
    #[prost(message, optional, tag = "13")]
    rpc: Option<RpcCommand>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SendCommand {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(deserialize_with = "json_bytes")]
    data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RpcCommand {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(deserialize_with = "json_bytes")]
    data: Vec<u8>,
    #[prost(string, tag = "2")]
    method: String,
}

fn json_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    Value::deserialize(deserializer).map(|value| value.to_string().into_bytes())
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ConnectCommand {
    #[prost(string, optional, tag = "1")]
    token: Option<String>,
    #[prost(string, tag = "4")]
    name: String,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SubscribeCommand {
    #[prost(string, tag = "1")]
    channel: String,
    #[prost(string, optional, tag = "2")]
    token: Option<String>,
    #[prost(bool, tag = "3")]
    recover: bool,
    #[prost(string, tag = "6")]
    epoch: String,
    #[prost(uint64, tag = "7")]
    offset: u64,
    #[prost(string, tag = "12")]
    delta: String,
    #[prost(message, optional, tag = "13")]
    tf: Option<FilterCommand>,
    #[prost(int64, tag = "14")]
    flag: i64,
}

/// A filter that looks at one tag.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FilterCommand {
    #[prost(string, tag = "2")]
    key: String,
    #[prost(string, tag = "3")]
    cmp: String,
    #[prost(string, tag = "4")]
    val: String,
}
