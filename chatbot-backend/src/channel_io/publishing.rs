//! The bot's publications.

use super::ChannelIo;
use crate::conversation::{Conversation, EndReason, Entry, stream_channel};
use crate::entry_publication::EntryPublication;
use crate::responder::ChatMessage;
use shared_proto::client::Failure;
use shared_proto::errors::ErrorCode;
use shared_proto::rest::PositionBody;
use std::time::Duration;

/// Deadline of a publication that users wait for.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);
/// Deadline of a typing entry. A late one is useless.
const TYPING_DEADLINE: Duration = Duration::from_secs(1);

/// Why a user's message was not published.
#[derive(Debug, thiserror::Error)]
pub enum LineFailure {
    /// The gateway did not accept it.
    #[error("{0}")]
    NotPublished(Failure),
    /// The id belongs to a different message.
    #[error("the id belongs to a different message")]
    OtherMessage,
    /// The id belongs to a message that is not among the entries that the bot reads.
    #[error("the message with this id is no longer among the newest entries")]
    OutOfReach,
    /// The id belongs to a message that could not be read now.
    #[error("the message with this id cannot be read: {0}")]
    Unreadable(Failure),
}

impl ChannelIo {
    /// Publishes one entry. Returns its position.
    pub async fn publish(&self, publication: EntryPublication<'_>, within: Duration) -> Result<PositionBody, Failure> {
        self.publisher.publish(publication.into_publication()?, within).await
    }

    /// Publishes a user's message. A message that is stored already counts as published.
    ///
    /// A repeated call has another time, so its data differs and the gateway answers with a mismatch. The conversation then shows whether
    /// it is the same message.
    pub async fn publish_message(&self, conversation: &Conversation, id: &str, message: &ChatMessage) -> Result<(), LineFailure> {
        let (from, text) = (message.from.clone(), message.text.clone());
        let entry = Entry::Message { id: id.into(), from, text, stream: None, at: Some(self.clock.now()), ended: None };
        let publication = EntryPublication::in_conversation(conversation, &entry).with_idempotency_key(format!("{id}-line"));
        match self.publish(publication, PUBLISH_DEADLINE).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is(ErrorCode::IdempotencyMismatch) => {
                match self.stored_message(conversation, id).await.map_err(LineFailure::Unreadable)? {
                    Some(stored) if stored == *message => Ok(()),
                    Some(_) => Err(LineFailure::OtherMessage),
                    None => Err(LineFailure::OutOfReach),
                }
            }
            Err(failure) => Err(LineFailure::NotPublished(failure)),
        }
    }

    /// Publishes that somebody is typing.
    pub async fn publish_typing(&self, conversation: &Conversation, from: &str) -> Result<(), Failure> {
        let entry = Entry::Typing { from: from.into() };
        self.publish(EntryPublication::in_conversation(conversation, &entry).ephemeral(), TYPING_DEADLINE).await.map(drop)
    }

    /// Publishes that the bot is typing. A failure is only logged.
    pub async fn publish_bot_typing(&self, conversation: &Conversation) {
        if let Err(failure) = self.publish_typing(conversation, &self.bot.name).await {
            tracing::debug!(%failure, %conversation, "the typing entry of the bot was not published");
        }
    }

    /// Announces the stream `id` as the answer to the message `message_id` of `caller`. A message has one answer. Returns `false` if
    /// another stream was announced first.
    pub async fn announce_stream(&self, conversation: &Conversation, id: &str, message_id: &str, caller: &str) -> Result<bool, Failure> {
        let (from, channel, caller) = (self.bot.name.clone(), stream_channel(id), caller.to_owned());
        let entry = Entry::Stream { id: id.into(), from, channel, caller, at: Some(self.clock.now()) };
        let publication = EntryPublication::in_conversation(conversation, &entry).with_idempotency_key(format!("{message_id}-answer"));
        is_first(self.publish(publication, PUBLISH_DEADLINE).await)
    }

    /// Ends a stream. All instances use the same idempotency key, so the first end counts. Returns `false` if an end with another reason
    /// was first.
    pub async fn end_stream(&self, conversation: &Conversation, id: &str, reason: EndReason) -> Result<bool, Failure> {
        let entry = Entry::End(reason);
        let publication = EntryPublication::in_stream(id, conversation, &entry).with_idempotency_key(format!("{id}-end"));
        is_first(self.publish(publication, PUBLISH_DEADLINE).await)
    }

    /// Publishes the complete message of the stream `id`. All instances use the same idempotency key, so the first message counts.
    pub async fn publish_complete(&self, conversation: &Conversation, id: &str, text: String, reason: EndReason) -> Result<(), Failure> {
        let (from, ended) = (self.bot.name.clone(), Some(reason).filter(|reason| *reason != EndReason::Done));
        let entry = Entry::Message { id: id.into(), from, text, stream: Some(id.into()), at: Some(self.clock.now()), ended };
        let publication = EntryPublication::in_conversation(conversation, &entry).with_idempotency_key(format!("{id}-final"));
        is_first(self.publish(publication, PUBLISH_DEADLINE).await).map(drop)
    }

    /// Publishes the complete message of a stream that has an end of another instance or of a user, from the stream's parts. Does nothing
    /// if the message exists or the stream is not announced.
    pub async fn publish_complete_from_parts(&self, conversation: &Conversation, id: &str) -> Result<(), Failure> {
        if !self.is_unfinished(conversation, id).await? {
            return Ok(());
        }
        let (text, reason) = self.stream_text(id).await?;
        self.publish_complete(conversation, id, text, reason.unwrap_or(EndReason::Aborted)).await
    }
}

/// Whether this publication is the first one with its key, or equal to the first one.
fn is_first(outcome: Result<PositionBody, Failure>) -> Result<bool, Failure> {
    match outcome {
        Ok(_) => Ok(true),
        Err(failure) if failure.is(ErrorCode::IdempotencyMismatch) => Ok(false),
        Err(failure) => Err(failure),
    }
}
