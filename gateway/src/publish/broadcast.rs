//! One publication into many channels.

use super::{CallerIdentity, CallerKey, Draft, Publisher, content};
use crate::broker::Published;
use gateway_core::model::{ChannelName, Content, Refusal, Tags};
use shared_proto::content::ContentBody;

/// A publication of a service for many channels. Its content is checked.
#[derive(Clone, Debug)]
pub struct Broadcast {
    content: Content,
    tags: Tags,
    ephemeral: bool,
    traceparent: Option<Box<str>>,
    key: Option<CallerKey>,
}

impl Broadcast {
    /// Its size in one channel, in bytes; at least 1.
    pub fn size(&self) -> usize {
        self.content.size().max(1)
    }
}

impl Publisher {
    /// Checks the content of a broadcast.
    pub fn broadcast(
        &self,
        content: ContentBody,
        tags: Tags,
        ephemeral: bool,
        traceparent: Option<Box<str>>,
        key: Option<CallerKey>,
    ) -> Result<Broadcast, Refusal> {
        let content = content::parse(content)?;
        self.check(&content, &tags)?;
        Ok(Broadcast { content, tags, ephemeral, traceparent, key })
    }

    /// Passes a broadcast to the broker, for one of its channels. The returned future resolves as [`Self::publish`] does.
    pub async fn hand_over_to(
        &self,
        channel: ChannelName,
        broadcast: &Broadcast,
    ) -> Result<impl Future<Output = Result<Published, Refusal>> + use<'_>, Refusal> {
        let Broadcast { content, tags, ephemeral, traceparent, key } = broadcast.clone();
        let identity = key.map(CallerIdentity::Key);
        self.hand_over_checked(Draft { channel, content, tags, ephemeral, info: None, traceparent, identity }).await
    }
}
