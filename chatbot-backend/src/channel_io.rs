//! Everything that the bot writes into channels and reads from them.

use crate::conversation::{Conversation, EndReason, Entry, STREAM_PREFIX, assemble, stream_channel, unfinished};
use crate::entry_publication::EntryPublication;
use crate::responder::{ChatMessage, Lookup, LookupResult};
use crate::settings::Bot;
use shared_proto::client::Failure;
use shared_proto::client::link::Publisher;
use shared_proto::client::rest::{Gateway, HistoryQuery};
use shared_proto::errors::ErrorCode;
use shared_proto::rest::{HistoryBody, PositionBody};
use std::time::Duration;

/// Deadline of a publication that users wait for.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);
/// Deadline of a typing entry. A late one is useless.
const TYPING_DEADLINE: Duration = Duration::from_secs(1);
/// The bot reads this many of the newest entries of a conversation.
const CONVERSATION_LIMIT: u32 = 100;
/// Publications in a page of a stream.
const PAGE: u32 = 100;
/// Maximum number of pages that are read of a stream, and of the list of streams.
const PAGES: usize = 100;

/// Writes channels through links and reads them through REST. It has no state.
#[derive(Debug)]
pub struct ChannelIo {
    publisher: Publisher,
    gateway: Gateway,
    bot: Bot,
}

impl ChannelIo {
    /// Publishes with `publisher`, reads with `gateway`; `bot` has the bot's name and pauses.
    pub fn new(publisher: Publisher, gateway: Gateway, bot: Bot) -> Self {
        Self { publisher, gateway, bot }
    }

    /// Shortest time between two parts.
    pub fn part_pause(&self) -> Duration {
        self.bot.part_pause()
    }

    /// Pause between two words.
    pub fn word_pause(&self) -> Duration {
        self.bot.word_pause()
    }

    /// Publishes one entry.
    pub async fn publish(&self, publication: EntryPublication<'_>, within: Duration) -> Result<(), Failure> {
        self.publisher.publish(publication.into_publication()?, within).await.map(drop)
    }

    /// Publishes a user's message.
    pub async fn publish_message(&self, conversation: &Conversation, id: &str, message: &ChatMessage) -> Result<(), Failure> {
        let (from, text) = (message.from.clone(), message.text.clone());
        let entry = Entry::Message { id: id.into(), from, text, stream: None, reason: None };
        let publication = EntryPublication::in_conversation(conversation, &entry).with_idempotency_key(format!("{id}-line"));
        self.publish(publication, PUBLISH_DEADLINE).await
    }

    /// Publishes that somebody is typing.
    pub async fn publish_typing(&self, conversation: &Conversation, from: &str) -> Result<(), Failure> {
        let entry = Entry::Typing { from: from.into() };
        self.publish(EntryPublication::in_conversation(conversation, &entry).ephemeral(), TYPING_DEADLINE).await
    }

    /// Publishes that the bot is typing. A failure is only logged.
    pub async fn publish_bot_typing(&self, conversation: &Conversation) {
        if let Err(failure) = self.publish_typing(conversation, &self.bot.name).await {
            tracing::debug!(%failure, %conversation, "the typing entry of the bot was not published");
        }
    }

    /// Announces the stream `id` as the answer to the message `message_id`. A message has one answer. Returns `false` if another stream was
    /// announced first.
    pub async fn announce_stream(&self, conversation: &Conversation, id: &str, message_id: &str) -> Result<bool, Failure> {
        let entry = Entry::Stream { id: id.into(), from: self.bot.name.clone(), channel: stream_channel(id) };
        let publication = EntryPublication::in_conversation(conversation, &entry).with_idempotency_key(format!("{message_id}-answer"));
        match self.publish(publication, PUBLISH_DEADLINE).await {
            Err(failure) if failure.is(ErrorCode::IdempotencyMismatch) => Ok(false),
            outcome => outcome.map(|()| true),
        }
    }

    /// Ends the stream `id`. All instances use the same idempotency key, so the first end counts.
    pub async fn end_stream(&self, conversation: &Conversation, id: &str, reason: EndReason) -> Result<(), Failure> {
        let entry = Entry::End { reason };
        let publication = EntryPublication::in_stream(id, conversation, &entry).with_idempotency_key(format!("{id}-end"));
        first_one_counts(self.publish(publication, PUBLISH_DEADLINE).await)
    }

    /// Publishes the complete message of the stream `id`. All instances use the same idempotency key, so the first message counts.
    pub async fn publish_complete(&self, conversation: &Conversation, id: &str, text: String, reason: EndReason) -> Result<(), Failure> {
        let reason = (reason != EndReason::Done).then_some(reason);
        let entry = Entry::Message { id: id.into(), from: self.bot.name.clone(), text, stream: Some(id.into()), reason };
        let publication = EntryPublication::in_conversation(conversation, &entry).with_idempotency_key(format!("{id}-final"));
        first_one_counts(self.publish(publication, PUBLISH_DEADLINE).await)
    }

    /// Publishes the complete message of a stream that another instance wrote, from the stream's parts. Does nothing if the message exists
    /// or the stream is not announced.
    pub async fn publish_complete_for_other(&self, conversation: &Conversation, id: &str) -> Result<(), Failure> {
        if !self.unfinished_streams(conversation).await?.iter().any(|unfinished| unfinished == id) {
            return Ok(());
        }
        let (text, reason) = self.stream_text(id).await?;
        self.publish_complete(conversation, id, text, reason.unwrap_or(EndReason::Aborted)).await
    }

    /// Whether the stream has an end. If it cannot be read, the answer is no.
    pub async fn stream_has_ended(&self, id: &str) -> bool {
        let tail = self.stream_tail(id).await;
        matches!(tail, Ok(tail) if entries(&tail).iter().any(|entry| matches!(entry, Entry::End { .. })))
    }

    /// The newest publications of the stream `id`.
    pub async fn stream_tail(&self, id: &str) -> Result<HistoryBody, Failure> {
        // Three, because a part that was in flight may be stored after the end that another instance published.
        self.gateway.history(&stream_channel(id), &HistoryQuery::newest(3)).await
    }

    /// Ids of all stored streams, up to the limit of pages.
    pub async fn stream_ids(&self) -> Result<Vec<String>, Failure> {
        let mut ids = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let page = self.gateway.channels(&format!("{STREAM_PREFIX}*"), after.as_deref()).await?;
            ids.extend(page.channels.iter().filter_map(|channel| channel.channel.strip_prefix(STREAM_PREFIX)).map(str::to_owned));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(ids)
    }

    /// Ids of the streams that are announced in this conversation and have no complete message.
    pub async fn unfinished_streams(&self, conversation: &Conversation) -> Result<Vec<String>, Failure> {
        let page = self.gateway.history(conversation.as_str(), &HistoryQuery::newest(CONVERSATION_LIMIT)).await?;
        Ok(unfinished(&entries(&page)))
    }

    /// Looks up what the responder needs for the message `id`.
    pub async fn look_up(&self, lookup: Lookup, conversation: &Conversation, id: &str) -> LookupResult {
        let found = match lookup {
            Lookup::Nothing => return LookupResult::Nothing,
            Lookup::Presence => self.users(conversation).await.map(LookupResult::Presence),
            Lookup::History => self.earlier_messages(conversation, id).await.map(LookupResult::History),
        };
        found.unwrap_or_else(|failure| {
            tracing::warn!(%failure, ?lookup, %conversation, "a lookup failed; the answer says so");
            LookupResult::Unavailable
        })
    }

    async fn users(&self, conversation: &Conversation) -> Result<Vec<String>, Failure> {
        let presence = self.gateway.presence(conversation.as_str()).await?;
        Ok(presence.clients.into_iter().map(|client| client.user).collect())
    }

    async fn earlier_messages(&self, conversation: &Conversation, id: &str) -> Result<Vec<ChatMessage>, Failure> {
        let page = self.gateway.history(conversation.as_str(), &HistoryQuery::newest(CONVERSATION_LIMIT)).await?;
        let messages = entries(&page).into_iter().rev().filter_map(|entry| match entry {
            Entry::Message { id: earlier, from, text, .. } if earlier != id => Some(ChatMessage { from, text }),
            _ => None,
        });
        Ok(messages.collect())
    }

    async fn stream_text(&self, id: &str) -> Result<(String, Option<EndReason>), Failure> {
        let mut all = Vec::new();
        let mut query = HistoryQuery { limit: Some(PAGE), ..HistoryQuery::default() };
        for _ in 0..PAGES {
            let page = self.gateway.history(&stream_channel(id), &query).await?;
            let Some(last) = page.publications.last() else { break };
            query.since = Some(PositionBody { epoch: page.epoch.clone(), offset: last.offset });
            let is_last_page = last.offset >= page.offset;
            all.extend(entries(&page));
            if is_last_page {
                break;
            }
        }
        Ok(assemble(&all))
    }
}

/// The entries of a page, in the order of the page.
pub fn entries(page: &HistoryBody) -> Vec<Entry> {
    page.publications.iter().filter_map(Entry::parse).collect()
}

/// If another instance published first with this key and a different body, that publication counts, and the outcome is a success.
fn first_one_counts(outcome: Result<(), Failure>) -> Result<(), Failure> {
    match outcome {
        Err(failure) if failure.is(ErrorCode::IdempotencyMismatch) => Ok(()),
        outcome => outcome,
    }
}
