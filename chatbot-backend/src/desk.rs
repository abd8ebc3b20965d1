//! The bot's desk: everything that it writes into channels and reads from them.

use crate::brain::{Facts, Line, Needs};
use crate::conversation::{CONVERSATION_TAG, Conversation, Entry, Reason, STREAM, assemble};
use crate::settings::Bot;
use shared_proto::client::Failure;
use shared_proto::client::link::{Publication, Publisher};
use shared_proto::client::rest::{Gateway, HistoryQuery};
use shared_proto::errors::ErrorCode;
use shared_proto::process::telemetry::traceparent;
use shared_proto::rest::{HistoryBody, PositionBody};
use std::time::Duration;

/// For a publication that people wait for.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);
/// How far back the bot remembers.
const MEMORY: u32 = 100;
/// Publications of a stream read at a time.
const PAGE: u32 = 100;
/// Pages of a stream that are read at most.
const PAGES: usize = 100;

/// Where an entry goes, and how.
pub struct Said<'a> {
    channel: String,
    entry: &'a Entry,
    key: Option<String>,
    conversation: Option<&'a Conversation>,
    ephemeral: bool,
}

impl<'a> Said<'a> {
    /// In a conversation.
    pub fn in_conversation(conversation: &Conversation, entry: &'a Entry) -> Self {
        Self { channel: conversation.as_str().to_owned(), entry, key: None, conversation: None, ephemeral: false }
    }

    /// In the channel of the stream `id`, tagged with its conversation.
    pub fn in_stream(id: &str, conversation: &'a Conversation, entry: &'a Entry) -> Self {
        Self { channel: format!("{STREAM}{id}"), entry, key: None, conversation: Some(conversation), ephemeral: false }
    }

    /// Once, whoever says it how often.
    #[must_use]
    pub fn once(mut self, key: String) -> Self {
        self.key = Some(key);
        self
    }

    /// Only to who is there now.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    fn into_publication(self) -> Result<Publication, Failure> {
        let refused = |error: serde_json::Error| Failure::Refused { code: "bad_request".into(), detail: error.to_string() };
        let mut publication = Publication::new(self.channel, self.entry).map_err(refused)?;
        publication = publication.with_traceparent(traceparent(&tracing::Span::current()));
        if let Some(key) = self.key {
            publication = publication.with_idempotency_key(key);
        }
        if let Some(conversation) = self.conversation {
            publication = publication.with_tag(CONVERSATION_TAG, conversation.as_str());
        }
        Ok(if self.ephemeral { publication.ephemeral() } else { publication })
    }
}

/// Writes through links, reads through REST; holds no state.
#[derive(Debug)]
pub struct Desk {
    publisher: Publisher,
    gateway: Gateway,
    bot: Bot,
}

impl Desk {
    /// A desk of the bot that `bot` describes.
    pub fn new(publisher: Publisher, gateway: Gateway, bot: Bot) -> Self {
        Self { publisher, gateway, bot }
    }

    /// Least distance of two parts.
    pub fn part_pause(&self) -> Duration {
        self.bot.part_pause()
    }

    /// Pause between two words.
    pub fn word_pause(&self) -> Duration {
        self.bot.word_pause()
    }

    /// Publishes one entry.
    pub async fn publish(&self, said: Said<'_>, within: Duration) -> Result<(), Failure> {
        self.publisher.publish(said.into_publication()?, within).await.map(drop)
    }

    /// Adds a person's line to the conversation.
    pub async fn line(&self, conversation: &Conversation, id: &str, line: &Line) -> Result<(), Failure> {
        let entry = Entry::Message { id: id.into(), from: line.from.clone(), text: line.text.clone(), stream: None, reason: None };
        self.publish(Said::in_conversation(conversation, &entry).once(format!("{id}-line")), PUBLISH_DEADLINE).await
    }

    /// Shows that somebody is typing. Nobody misses it where it does not arrive.
    pub async fn typing(&self, conversation: &Conversation, from: &str) -> Result<(), Failure> {
        let entry = Entry::Typing { from: from.into() };
        self.publish(Said::in_conversation(conversation, &entry).ephemeral(), Duration::from_secs(1)).await
    }

    /// Shows that the bot is about to speak.
    pub async fn bot_types(&self, conversation: &Conversation) {
        if let Err(failure) = self.typing(conversation, &self.bot.name).await {
            tracing::debug!(%failure, "typing was not shown");
        }
    }

    /// Announces the stream `id`, once it exists, as the answer to `line`. Answers whether it is: a line has one answer, the first announced.
    pub async fn announce(&self, conversation: &Conversation, id: &str, line: &str) -> Result<bool, Failure> {
        let entry = Entry::Stream { id: id.into(), from: self.bot.name.clone(), channel: format!("{STREAM}{id}") };
        let outcome = self.publish(Said::in_conversation(conversation, &entry).once(format!("{line}-answer")), PUBLISH_DEADLINE).await;
        match outcome {
            Err(failure) if failure.is(ErrorCode::IdempotencyMismatch) => Ok(false),
            outcome => outcome.map(|()| true),
        }
    }

    /// Ends the stream `id`. All who try to end a stream use the same key, so that the first one decides.
    pub async fn end(&self, conversation: &Conversation, id: &str, reason: Reason) -> Result<(), Failure> {
        let entry = Entry::End { reason };
        let outcome = self.publish(Said::in_stream(id, conversation, &entry).once(format!("{id}-end")), PUBLISH_DEADLINE).await;
        decided_already(outcome)
    }

    /// Leaves the finished line in the conversation; under one key, for the same reason.
    pub async fn finish(&self, conversation: &Conversation, id: &str, text: String, reason: Reason) -> Result<(), Failure> {
        let told = (reason != Reason::Done).then_some(reason);
        let entry = Entry::Message { id: id.into(), from: self.bot.name.clone(), text, stream: Some(id.into()), reason: told };
        let outcome = self.publish(Said::in_conversation(conversation, &entry).once(format!("{id}-final")), PUBLISH_DEADLINE).await;
        decided_already(outcome)
    }

    /// Leaves the finished line of a stream that somebody else spoke, where it is announced and has none.
    pub async fn finish_for_another(&self, conversation: &Conversation, id: &str) -> Result<(), Failure> {
        let newest_first = entries(&self.gateway.history(conversation.as_str(), &HistoryQuery::newest(MEMORY)).await?);
        if !crate::conversation::unfinished(&newest_first).iter().any(|open| open == id) {
            return Ok(());
        }
        let (text, reason) = self.transcript(id).await?;
        self.finish(conversation, id, text, reason.unwrap_or(Reason::Aborted)).await
    }

    /// Whether the stream has an end. Where it cannot be read, it is taken to go on.
    pub async fn has_ended(&self, id: &str) -> bool {
        let tail = self.tail(id).await;
        matches!(tail, Ok(tail) if entries(&tail).iter().any(|entry| matches!(entry, Entry::End { .. })))
    }

    /// The newest publications of the stream `id`.
    pub async fn tail(&self, id: &str) -> Result<HistoryBody, Failure> {
        // A part that was on its way when another instance wrote the end may stand behind it.
        self.gateway.history(&format!("{STREAM}{id}"), &HistoryQuery::newest(3)).await
    }

    /// Ids of the streams that are held, page by page up to a bound.
    pub async fn streams(&self) -> Result<Vec<String>, Failure> {
        let mut ids = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let page = self.gateway.channels(&format!("{STREAM}*"), after.as_deref()).await?;
            ids.extend(page.channels.iter().filter_map(|channel| channel.channel.strip_prefix(STREAM)).map(str::to_owned));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(ids)
    }

    /// Streams that were announced in this conversation and are not finished.
    pub async fn open_streams(&self, conversation: &Conversation) -> Result<Vec<String>, Failure> {
        let page = self.gateway.history(conversation.as_str(), &HistoryQuery::newest(MEMORY)).await?;
        Ok(crate::conversation::unfinished(&entries(&page)))
    }

    /// Looks up what a brain needs; `id` is the line that it is about to answer.
    pub async fn facts(&self, needs: Needs, conversation: &Conversation, id: &str) -> Facts {
        let found = match needs {
            Needs::Nothing => return Facts::Nothing,
            Needs::Presence => self.present(conversation).await.map(Facts::Present),
            Needs::Conversation => self.before(conversation, id).await.map(Facts::Before),
        };
        found.unwrap_or_else(|failure| {
            tracing::warn!(%failure, ?needs, "a fact could not be looked up");
            Facts::Unavailable
        })
    }

    async fn present(&self, conversation: &Conversation) -> Result<Vec<String>, Failure> {
        let presence = self.gateway.presence(conversation.as_str()).await?;
        Ok(presence.clients.into_iter().map(|client| client.user).collect())
    }

    async fn before(&self, conversation: &Conversation, id: &str) -> Result<Vec<Line>, Failure> {
        let page = self.gateway.history(conversation.as_str(), &HistoryQuery::newest(MEMORY)).await?;
        let lines = entries(&page).into_iter().rev().filter_map(|entry| match entry {
            Entry::Message { id: said, from, text, .. } if said != id => Some(Line { from, text }),
            _ => None,
        });
        Ok(lines.collect())
    }

    async fn transcript(&self, id: &str) -> Result<(String, Option<Reason>), Failure> {
        let mut all = Vec::new();
        let mut query = HistoryQuery { limit: Some(PAGE), ..HistoryQuery::default() };
        for _ in 0..PAGES {
            let page = self.gateway.history(&format!("{STREAM}{id}"), &query).await?;
            let Some(last) = page.publications.last() else { break };
            query.since = Some(PositionBody { epoch: page.epoch.clone(), offset: last.offset });
            let whole = last.offset >= page.offset;
            all.extend(entries(&page));
            if whole {
                break;
            }
        }
        Ok(assemble(&all))
    }
}

/// Entries of a page, in its order.
pub fn entries(page: &HistoryBody) -> Vec<Entry> {
    page.publications.iter().filter_map(Entry::of).collect()
}

/// Somebody else decided first, with another body: that is as good.
fn decided_already(outcome: Result<(), Failure>) -> Result<(), Failure> {
    match outcome {
        Err(failure) if failure.is(ErrorCode::IdempotencyMismatch) => Ok(()),
        outcome => outcome,
    }
}
