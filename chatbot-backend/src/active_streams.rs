//! The streams that this instance is writing.

use crate::conversation::Conversation;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// The streams that this instance is writing now, by id.
#[derive(Debug, Default)]
pub struct ActiveStreams {
    streams: Mutex<HashMap<String, Registered>>,
    abort: CancellationToken,
}

#[derive(Debug)]
struct Registered {
    conversation: Conversation,
    caller: String,
    ended: CancellationToken,
}

impl ActiveStreams {
    /// Whether this instance is writing the stream `id`.
    pub fn contains(&self, id: &str) -> bool {
        self.lock().contains_key(id)
    }

    /// Number of streams.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Ids of the streams with answers to this user in this conversation that have no end. Some may not be announced yet.
    pub fn answers_to(&self, caller: &str, conversation: &Conversation) -> Vec<String> {
        let streams = self.lock();
        let is_own = |stream: &Registered| stream.caller == caller && stream.conversation == *conversation;
        let own = streams.iter().filter(|(_, stream)| is_own(stream) && !stream.ended.is_cancelled());
        own.map(|(id, _)| id.clone()).collect()
    }

    /// Tells the writer of the stream `id` that the stream has an end. Does nothing if another instance writes it.
    pub fn set_ended(&self, id: &str) {
        if let Some(stream) = self.lock().get(id) {
            stream.ended.cancel();
        }
    }

    /// Tells all writers to end their streams as aborted, later ones too.
    pub fn abort_all(&self) {
        self.abort.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Registered>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Registers a stream in [`ActiveStreams`] until it is dropped.
pub(crate) struct ActiveStream<'a> {
    all: &'a ActiveStreams,
    id: String,
    /// Cancelled when the writer must end the stream as aborted.
    pub(crate) abort: CancellationToken,
    /// Cancelled when a user has stopped the stream, so that it has an end.
    pub(crate) ended: CancellationToken,
}

impl<'a> ActiveStream<'a> {
    pub(crate) fn register(all: &'a ActiveStreams, id: &str, conversation: &Conversation, caller: &str) -> Self {
        let ended = CancellationToken::new();
        let registered = Registered { conversation: conversation.clone(), caller: caller.to_owned(), ended: ended.clone() };
        all.lock().insert(id.to_owned(), registered);
        Self { all, id: id.to_owned(), abort: all.abort.clone(), ended }
    }
}

impl Drop for ActiveStream<'_> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}
