//! The streams that this instance is writing.

use crate::conversation::Conversation;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// The streams that this instance is writing now, by id.
#[derive(Debug, Default)]
pub struct ActiveStreams {
    streams: Mutex<HashMap<String, (Conversation, CancellationToken)>>,
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

    /// Stops the streams of one conversation, or all for `None`.
    pub fn stop(&self, only: Option<&Conversation>) {
        for (_, stop) in self.lock().values().filter(|(conversation, _)| only.is_none_or(|only| only == conversation)) {
            stop.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Conversation, CancellationToken)>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Registers a stream in [`ActiveStreams`] until it is dropped.
pub(crate) struct ActiveStream<'a> {
    all: &'a ActiveStreams,
    id: String,
    /// Cancelled when the stream must stop.
    pub(crate) stop: CancellationToken,
}

impl<'a> ActiveStream<'a> {
    pub(crate) fn register(all: &'a ActiveStreams, id: &str, conversation: &Conversation) -> Self {
        let stop = CancellationToken::new();
        all.lock().insert(id.to_owned(), (conversation.clone(), stop.clone()));
        Self { all, id: id.to_owned(), stop }
    }
}

impl Drop for ActiveStream<'_> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}
