//! Reads the channels of streams.

use super::conversation_history::PAGE;
use super::{ChannelIo, entries};
use crate::conversation::{CONVERSATION_TAG, Conversation, EndReason, Entry, STREAM_PREFIX, assemble, stream_channel};
use shared_proto::client::Failure;
use shared_proto::client::rest::HistoryQuery;
use shared_proto::rest::{HistoryBody, PositionBody};

/// Maximum number of pages that are read of a stream, and of the list of streams.
const PAGES: usize = 100;

impl ChannelIo {
    /// Whether the stream `id` belongs to this conversation and has no end.
    pub async fn is_running(&self, conversation: &Conversation, id: &str) -> Result<bool, Failure> {
        let tail = self.stream_tail(id).await?;
        Ok(conversation_of(&tail).as_ref() == Some(conversation) && !contains_end(&tail))
    }

    /// Whether the publication after this position of the stream `id` is its end.
    pub async fn is_end_after(&self, id: &str, position: PositionBody) -> Result<bool, Failure> {
        let query = HistoryQuery { since: Some(position), limit: Some(1), ..HistoryQuery::default() };
        Ok(contains_end(&self.gateway.history(&stream_channel(id), &query).await?))
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

    pub(super) async fn stream_text(&self, id: &str) -> Result<(String, Option<EndReason>), Failure> {
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
        Ok(assemble(all))
    }
}

/// The conversation to which a page of a stream belongs.
pub fn conversation_of(page: &HistoryBody) -> Option<Conversation> {
    page.publications.iter().find_map(|publication| Conversation::parse(publication.tags.get(CONVERSATION_TAG)?))
}

/// Whether a page of a stream contains its end.
pub fn contains_end(page: &HistoryBody) -> bool {
    entries(page).iter().any(|entry| matches!(entry, Entry::End(_)))
}
