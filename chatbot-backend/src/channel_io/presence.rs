//! Who is in a conversation.

use super::ChannelIo;
use crate::conversation::Conversation;
use shared_proto::client::Failure;

/// The person who makes a call.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// The user; empty for anonymous users.
    pub user: &'a str,
    /// Id of the connection. It tells anonymous users apart.
    pub connection: &'a str,
}

impl ChannelIo {
    /// Whether nobody else is in the conversation. A user with several connections is one person; each anonymous connection is a person.
    ///
    /// If the presence cannot be read, the answer is no: then the bot is silent. A person can name the bot to get an answer, but cannot
    /// take back an answer that disturbs others.
    pub async fn is_alone(&self, conversation: &Conversation, person: Person<'_>) -> bool {
        self.has_only(conversation, person).await.unwrap_or_else(|failure| {
            tracing::warn!(%failure, %conversation, "the presence could not be read; the bot is silent");
            false
        })
    }

    async fn has_only(&self, conversation: &Conversation, person: Person<'_>) -> Result<bool, Failure> {
        // The counts are cheap in large conversations. They decide most cases.
        let counts = self.gateway.presence_stats(conversation.as_str()).await?;
        if counts.users > 1 || (person.user.is_empty() && counts.clients > 1) {
            return Ok(false);
        }
        let present = self.gateway.presence(conversation.as_str()).await?.clients;
        Ok(present.iter().all(|it| it.user == person.user && (!it.user.is_empty() || it.client == person.connection)))
    }

    /// The user of each connection in the conversation.
    pub(super) async fn users(&self, conversation: &Conversation) -> Result<Vec<String>, Failure> {
        let presence = self.gateway.presence(conversation.as_str()).await?;
        Ok(presence.clients.into_iter().map(|client| client.user).collect())
    }
}
