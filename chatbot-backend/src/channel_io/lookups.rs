//! Looks up what the responder needs.

use super::conversation_history::PAGE;
use super::{ChannelIo, entries};
use crate::conversation::{Conversation, Entry};
use crate::responder::{ChatMessage, Lookup, LookupResult};
use shared_proto::client::Failure;
use shared_proto::client::rest::HistoryQuery;

impl ChannelIo {
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

    async fn earlier_messages(&self, conversation: &Conversation, id: &str) -> Result<Vec<ChatMessage>, Failure> {
        let page = self.gateway.history(conversation.as_str(), &HistoryQuery::newest(PAGE)).await?;
        let messages = entries(&page).into_iter().rev().filter_map(|entry| match entry {
            Entry::Message { id: earlier, from, text, .. } if earlier != id => Some(ChatMessage { from, text }),
            _ => None,
        });
        Ok(messages.collect())
    }
}
