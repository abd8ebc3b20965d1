//! Publishes into channels, for REST, links and frontends.

use crate::{
    broker::{Broker, BrokerError, NewPublication, PublishIdentity, Published},
    telemetry::{SpanKind, TraceSpan},
};
use futures_util::TryFutureExt as _;
use gateway_core::{
    channel::{ChannelOptions, Namespaces, NoSuchChannel},
    model::{ChannelName, ClientInfo, Content, ErrorCode, Fingerprint, Refusal, Retention, Tags},
};
use shared_proto::content::ContentBody;
use std::sync::Arc;
use tracing::Instrument as _;

mod all_or_none;
mod broadcast;
mod content;
mod entry;
mod identity;
mod permit;
#[cfg(test)]
mod tests;

pub use all_or_none::DraftAll;
pub use broadcast::Broadcast;
pub(crate) use content::parse as parse_content;
pub use entry::EntryError;
pub use identity::{CallerIdentity, CallerKey};
pub use permit::permit;

/// Limits of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishLimits {
    /// Largest data, in bytes, written as JSON.
    pub data: usize,
    /// Number of tags.
    pub tags: usize,
    /// Bytes of all keys and values of the tags.
    pub tag_bytes: usize,
}

impl Default for PublishLimits {
    fn default() -> Self {
        Self { data: 64 << 10, tags: 16, tag_bytes: 4 << 10 }
    }
}

/// A publication that is not checked yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The channel.
    pub channel: ChannelName,
    /// The message.
    pub content: Content,
    /// Key-value pairs beside the message.
    pub tags: Tags,
    /// Whether it is not stored and has no position; only current subscribers get it.
    pub ephemeral: bool,
    /// The frontend that publishes. `None` for services.
    pub info: Option<Box<ClientInfo>>,
    /// W3C trace context.
    pub traceparent: Option<Box<str>>,
    /// What tells a repeat from a new publish.
    pub identity: Option<CallerIdentity>,
}

impl Draft {
    /// Makes the draft of a service, with a checked name and valid content.
    pub fn parse(channel: &str, content: ContentBody, tags: Tags, ephemeral: bool) -> Result<Self, Refusal> {
        Ok(Self { ephemeral, ..Self::of(parse_channel(channel)?, content, tags)? })
    }

    /// Makes a draft for a channel, with valid content.
    pub fn of(channel: ChannelName, content: ContentBody, tags: Tags) -> Result<Self, Refusal> {
        let content = content::parse(content)?;
        Ok(Self { channel, content, tags, ephemeral: false, info: None, traceparent: None, identity: None })
    }

    /// Adds the trace context and the identity.
    #[must_use]
    pub fn within(mut self, traceparent: Option<Box<str>>, identity: Option<CallerIdentity>) -> Self {
        self.traceparent = traceparent;
        self.identity = identity;
        self
    }

    // NL-2.9
    /// A digest of everything that makes two requests equal.
    fn fingerprint(&self) -> [u8; 32] {
        let mut parts = Fingerprint::default();
        parts.add(self.channel.as_bytes());
        parts.add(self.content.as_bytes());
        parts.add(&[u8::from(self.ephemeral)]);
        parts.add_tags(&self.tags);
        // JSON has no part of its own, so that keys from before there was other content keep their fingerprint.
        if self.content.as_json().is_none() {
            parts.add(self.content.kind().as_bytes());
        }
        parts.finish()
    }
}

/// Parses a channel name of a request.
pub fn parse_channel(name: &str) -> Result<ChannelName, Refusal> {
    name.parse().map_err(|e| Refusal::new(ErrorCode::BadRequest, format!("The channel name {e}.")))
}

/// Checks publications and passes them to the broker.
pub struct Publisher {
    broker: Arc<Broker>,
    namespaces: Namespaces,
    limits: PublishLimits,
}

impl Publisher {
    /// A publisher into these namespaces.
    pub fn new(broker: Arc<Broker>, namespaces: Namespaces, limits: PublishLimits) -> Self {
        Self { broker, namespaces, limits }
    }

    /// The options of a channel, or a refusal if there is no such channel.
    pub fn options(&self, channel: &ChannelName) -> Result<&Arc<ChannelOptions>, Refusal> {
        self.namespaces.checked(channel).map_err(|why| match why {
            NoSuchChannel::UnknownNamespace => {
                let namespace = channel.namespace().unwrap_or_default();
                let detail = format!(
                    "No namespace is named \"{namespace}\". Correct the part before the colon, or add [namespaces.{namespace}] to the settings."
                );
                Refusal::new(ErrorCode::UnknownChannel, detail)
            }
            NoSuchChannel::InvalidUsers(why) => Refusal::new(ErrorCode::BadRequest, format!("The channel name {why}.")),
        })
    }

    /// Publishes, or refuses and changes nothing. With [`ErrorCode::OutcomeUnknown`] it is unknown which of both happened.
    pub async fn publish(&self, draft: Draft) -> Result<Published, Refusal> {
        self.hand_over(draft).await?.await
    }

    /// Passes a draft to the broker. The returned future resolves as [`Self::publish`] does. See [`Broker::hand_over`].
    pub async fn hand_over(&self, draft: Draft) -> Result<impl Future<Output = Result<Published, Refusal>> + use<'_>, Refusal> {
        self.check(&draft.content, &draft.tags)?;
        self.hand_over_checked(draft).await
    }

    /// The same for a draft whose content and tags [`Self::check`] accepted.
    async fn hand_over_checked(&self, mut draft: Draft) -> Result<impl Future<Output = Result<Published, Refusal>> + use<'_>, Refusal> {
        let retention = self.prepare(&mut draft)?;
        let caller = draft.identity.take();
        let identity = caller.clone().map(|identity| identity.for_broker(|| draft.fingerprint()));
        let refusal = move |error: BrokerError| CallerIdentity::refusal(caller.as_ref(), error);
        match self.hand_over_prepared(draft, retention, identity).await {
            Ok(answer) => Ok(answer.map_err(refusal)),
            Err(error) => Err(refusal(error)),
        }
    }

    /// Checks what depends on the channel, and adds the tags of the content. Returns the limits of the history that stores the draft.
    fn prepare(&self, draft: &mut Draft) -> Result<Option<Retention>, Refusal> {
        let options = self.options(&draft.channel)?;
        content::check(options, &draft.content, &mut draft.tags)?;
        if matches!(draft.identity, Some(CallerIdentity::Producer(_))) {
            check_stored(options, draft.ephemeral)?;
        }
        Ok(if draft.ephemeral { None } else { options.retention })
    }

    /// Passes a draft that [`Self::prepare`] accepted to the broker, with this identity in place of its own.
    async fn hand_over_prepared(
        &self,
        draft: Draft,
        retention: Option<Retention>,
        identity: Option<PublishIdentity>,
    ) -> Result<impl Future<Output = Result<Published, BrokerError>> + use<'_>, BrokerError> {
        let step = TraceSpan::begin(SpanKind::Publish, draft.traceparent.as_deref().and_then(|parent| parent.parse().ok()));
        let publication = NewPublication {
            content: draft.content,
            tags: draft.tags,
            info: draft.info,
            traceparent: step.traceparent(),
            retention,
            identity,
        };
        let span = step.span().clone();
        let answer = self.broker.hand_over(&draft.channel, publication).instrument(span.clone()).await?;
        Ok(answer.instrument(span))
    }

    /// Checks what a frontend wants to publish. [`Self::publish`] makes the same checks.
    pub fn check_content(&self, channel: &ChannelName, content: &Content, tags: &Tags) -> Result<(), Refusal> {
        self.check(content, tags)?;
        content::check(self.options(channel)?, content, &mut tags.clone())
    }

    /// Checks the size of data for frontends: its bytes in JSON, its longest form.
    pub fn check_size(&self, size: usize) -> Result<(), Refusal> {
        let limit = self.limits.data;
        if size > limit {
            return Err(Refusal::new(ErrorCode::PayloadTooLarge, format!("The data has {size} bytes in JSON; {limit} are allowed.")));
        }
        Ok(())
    }

    fn check(&self, content: &Content, tags: &Tags) -> Result<(), Refusal> {
        self.check_size(content.size())?;
        let (count, limit) = (tags.len(), self.limits.tags);
        if count > limit {
            return Err(Refusal::new(ErrorCode::LimitExceeded, format!("There are {count} tags (headers in STOMP); {limit} are allowed.")));
        }
        let (bytes, limit) = (tags.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>(), self.limits.tag_bytes);
        if bytes > limit {
            return Err(Refusal::new(
                ErrorCode::LimitExceeded,
                format!("The tags (headers in STOMP) have {bytes} bytes; {limit} are allowed."),
            ));
        }
        if tags.keys().any(String::is_empty) {
            return Err(Refusal::new(ErrorCode::BadRequest, "A tag (header in STOMP) has an empty name."));
        }
        Ok(())
    }
}

/// A producer's numbers are kept beside the history, so they need one.
fn check_stored(options: &ChannelOptions, ephemeral: bool) -> Result<(), Refusal> {
    let detail = match options.retention {
        Some(_) if !ephemeral => return Ok(()),
        Some(_) => "An ephemeral publication cannot have a `producer`, because nothing of it is stored. Leave out one of both.",
        None => {
            "The channel's namespace keeps no history, so a publication cannot have a `producer`. Leave it out, or set history_size and history_ttl for the namespace."
        }
    };
    Err(Refusal::new(ErrorCode::InvalidProducer, detail))
}
