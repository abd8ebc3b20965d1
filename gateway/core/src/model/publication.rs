//! Publications: the messages in channels.

use super::{ConnectionId, Content, Data, UserId};
use std::collections::BTreeMap;

/// Names and values that a publisher adds to the data.
pub type Tags = BTreeMap<String, String>;

/// A connection as other subscribers of a channel see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// Its user.
    pub user: UserId,
    /// Its id.
    pub client: ConnectionId,
    /// Data from the connection's token.
    pub conn_info: Option<Data>,
    /// Data from the subscription's token.
    pub chan_info: Option<Data>,
}

impl ClientInfo {
    /// Approximate size in bytes, for limits.
    pub fn size(&self) -> usize {
        let data = [&self.conn_info, &self.chan_info].into_iter().flatten().map(|data| data.get().len());
        size_of::<Self>() + self.user.len() + data.sum::<usize>()
    }
}

/// One message in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its position. `None` if it is not stored (the channel has no history, or the publication is ephemeral).
    pub position: Option<super::Position>,
    /// The message itself.
    pub content: Content,
    /// Names and values that the publisher added. Text and bytes have the tag [`CONTENT_TYPE`](super::CONTENT_TYPE).
    pub tags: Tags,
    /// The frontend that published it. `None` if a service did.
    pub info: Option<Box<ClientInfo>>,
    /// When the gateway accepted it, in milliseconds since 1970.
    pub time_ms: u64,
    /// W3C trace context of the publish. The trace of a delivery links to it.
    pub traceparent: Option<Box<str>>,
}

impl Publication {
    /// Approximate size in bytes, for limits.
    pub fn size(&self) -> usize {
        let tags: usize = self.tags.iter().map(|(k, v)| k.len() + v.len() + 48).sum();
        let info = self.info.as_deref().map_or(0, ClientInfo::size);
        self.content.size() + tags + info + size_of::<Self>()
    }
}
