//! What all workers and both listeners share.

use crate::{auth::Tokens, broker::Broker, publish::Publisher, services::Services, session::Rules};
use std::sync::Arc;

/// One running gateway.
pub struct Node {
    /// Its name in the cluster.
    pub name: Arc<str>,
    /// What is the same for all sessions.
    pub rules: Arc<Rules>,
    /// Where publications live.
    pub broker: Arc<Broker>,
    /// The one way into channels.
    pub publisher: Publisher,
    /// Backends that frontends may call.
    pub services: Services,
    /// Checks the tokens of frontends.
    pub tokens: Tokens,
    /// Whether a connection may come without a token.
    pub anonymous: bool,
    /// Entries of one presence answer at most.
    pub presence_limit: usize,
    /// Bytes of one history answer at most.
    pub history_bytes: usize,
}
