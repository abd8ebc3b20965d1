//! Searches the history of a conversation.

use super::{ChannelIo, entries};
use crate::conversation::{Conversation, Entry, UnfinishedAnswers};
use crate::responder::ChatMessage;
use shared_proto::client::Failure;
use shared_proto::client::rest::HistoryQuery;
use shared_proto::rest::PositionBody;
use std::convert::Infallible;

/// Publications in a page.
pub(super) const PAGE: u32 = 100;
/// A search reads at most this many pages: 1,000 entries, which is the whole history of a conversation with the settings of the demo.
const PAGES: usize = 10;

impl ChannelIo {
    /// The message with this id. `None` if it is not among the newest entries.
    pub(super) async fn stored_message(&self, conversation: &Conversation, id: &str) -> Result<Option<ChatMessage>, Failure> {
        let is_wanted = |entry| match entry {
            Entry::Message { id: stored, from, text, .. } if stored == id => Some(ChatMessage { from, text }),
            _ => None,
        };
        self.search(conversation, is_wanted).await
    }

    /// Whether the stream `id` is announced in this conversation and has no complete message.
    pub(super) async fn is_unfinished(&self, conversation: &Conversation, id: &str) -> Result<bool, Failure> {
        let state = |entry| match entry {
            Entry::Message { stream: Some(complete), .. } if complete == id => Some(false),
            Entry::Stream { id: announced, .. } if announced == id => Some(true),
            _ => None,
        };
        Ok(self.search(conversation, state).await?.unwrap_or(false))
    }

    /// Ids of the streams with answers to this user that are announced in this conversation and have no complete message.
    pub async fn unfinished_answers_to(&self, caller: &str, conversation: &Conversation) -> Result<Vec<String>, Failure> {
        let mut found = UnfinishedAnswers::to(caller);
        let add = |entry| {
            found.add(entry);
            None::<Infallible>
        };
        self.search(conversation, add).await?;
        Ok(found.into_ids())
    }

    /// Shows the newest entries to `visit`, newest first, until it returns a value.
    async fn search<T>(&self, conversation: &Conversation, mut visit: impl FnMut(Entry) -> Option<T> + Send) -> Result<Option<T>, Failure> {
        let mut query = HistoryQuery::newest(PAGE);
        for _ in 0..PAGES {
            let page = self.gateway.history(conversation.as_str(), &query).await?;
            if let Some(found) = entries(&page).into_iter().find_map(&mut visit) {
                return Ok(Some(found));
            }
            let Some(oldest) = page.publications.last().filter(|oldest| oldest.offset > 1) else { break };
            query.since = Some(PositionBody { epoch: page.epoch.clone(), offset: oldest.offset });
        }
        Ok(None)
    }
}
