//! An entry on its way into a channel.

use crate::conversation::{CONVERSATION_TAG, Conversation, Entry, stream_channel};
use shared_proto::client::Failure;
use shared_proto::client::link::Publication;
use shared_proto::errors::ErrorCode;
use shared_proto::process::telemetry::traceparent;

/// An entry, its channel, and how it is published.
pub struct EntryPublication<'a> {
    channel: String,
    entry: &'a Entry,
    idempotency_key: Option<String>,
    conversation_tag: Option<&'a Conversation>,
    ephemeral: bool,
}

impl<'a> EntryPublication<'a> {
    /// An entry in a conversation.
    pub fn in_conversation(conversation: &Conversation, entry: &'a Entry) -> Self {
        Self { channel: conversation.as_str().to_owned(), entry, idempotency_key: None, conversation_tag: None, ephemeral: false }
    }

    /// An entry in the channel of the stream `id`, tagged with its conversation.
    pub fn in_stream(id: &str, conversation: &'a Conversation, entry: &'a Entry) -> Self {
        Self { channel: stream_channel(id), entry, idempotency_key: None, conversation_tag: Some(conversation), ephemeral: false }
    }

    /// Stored once, even if several instances publish with this key.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: String) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    /// Not stored: only the current subscribers receive it.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    pub(crate) fn into_publication(self) -> Result<Publication, Failure> {
        let refused = |error: serde_json::Error| Failure::refused(ErrorCode::BadRequest, error.to_string());
        let mut publication = Publication::new(self.channel, self.entry).map_err(refused)?;
        publication = publication.with_traceparent(traceparent(&tracing::Span::current()));
        if let Some(key) = self.idempotency_key {
            publication = publication.with_idempotency_key(key);
        }
        if let Some(conversation) = self.conversation_tag {
            publication = publication.with_tag(CONVERSATION_TAG, conversation.as_str());
        }
        Ok(if self.ephemeral { publication.ephemeral() } else { publication })
    }
}
