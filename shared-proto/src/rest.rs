//! Bodies of the gateway's REST interface that a client needs.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Body of a publish.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// Opaque JSON.
    pub data: Box<RawValue>,
    /// Delivered along with the data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Not stored, no position: only who is there now gets it.
    #[serde(default)]
    pub ephemeral: bool,
}

/// Where a publication stands in its channel; epoch empty and offset 0 where the channel keeps no history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionBody {
    /// The timeline.
    pub epoch: String,
    /// Grows by one with each publication.
    pub offset: u64,
}

/// One publication of a channel's history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PublicationBody {
    /// Its place.
    pub offset: u64,
    /// Opaque JSON.
    pub data: Box<RawValue>,
    /// What the publisher put beside the data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The frontend that published it; absent where a service did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<ClientInfoBody>,
    /// Milliseconds since 1970 when the gateway took it.
    pub time: u64,
}

/// A connection as others see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientInfoBody {
    /// The user, empty for anonymous.
    pub user: String,
    /// The connection's public id.
    pub client: String,
    /// From the connection's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conn_info: Option<Box<RawValue>>,
    /// From the subscription's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chan_info: Option<Box<RawValue>>,
}

/// A page of history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HistoryBody {
    /// The current timeline.
    pub epoch: String,
    /// The newest offset.
    pub offset: u64,
    /// In the order asked for.
    pub publications: Vec<PublicationBody>,
}

/// RFC 9457 problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `about:blank`: the code says it all.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status' own phrase.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Name in the error table.
    pub code: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// What happened and what to do.
    pub detail: String,
}

/// One active channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelBody {
    /// Its name.
    pub channel: String,
    /// Its newest position; absent where it keeps no history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<PositionBody>,
    /// Publications that are held.
    pub held: usize,
}

/// A page of active channels.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChannelsBody {
    /// By name.
    pub channels: Vec<ChannelBody>,
    /// The next page's `cursor`; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Who is in a channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PresenceBody {
    /// Connections.
    pub clients: usize,
    /// Different users.
    pub users: usize,
    /// Each of them, up to a limit; absent where only the counts were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<Vec<ClientInfoBody>>,
}
