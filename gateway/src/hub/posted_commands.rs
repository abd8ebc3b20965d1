//! Sessions whose commands come in requests of their own.

use super::{hub::Hub, keys::ConnKey, state::queues::posted_queue::PostedQueue};
use crate::{
    broker::{PostOutcome, PostedCommands},
    telemetry::PostResult,
};
use gateway_core::model::SessionKey;
use std::rc::Rc;

/// A session with a key. Dropping it makes the key worthless.
pub struct PostedSession {
    hub: Rc<Hub>,
    key: SessionKey,
    queue: Rc<PostedQueue>,
}

impl PostedSession {
    /// The key that the client has to show.
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// Adds commands behind all others.
    pub fn push(&self, commands: PostedCommands) -> PostOutcome {
        self.queue.push(commands)
    }

    /// The next commands.
    pub fn pop(&self) -> Option<PostedCommands> {
        self.queue.pop()
    }

    /// Whether no commands wait.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

impl Drop for PostedSession {
    fn drop(&mut self) {
        let mut state = self.hub.state.borrow_mut();
        state.sessions.remove(&self.key);
        if state.sessions.capacity() > 4 * state.sessions.len() + 1024 {
            state.sessions.shrink_to_fit();
        }
    }
}

impl Hub {
    /// Gives a connection a session key.
    pub fn open_session(self: &Rc<Self>, connection: ConnKey) -> PostedSession {
        let key = SessionKey::random(self.worker());
        let queue = Rc::new(PostedQueue::new(self.parts.limits.posted_bytes));
        self.state.borrow_mut().sessions.insert(key, (connection, queue.clone()));
        PostedSession { hub: self.clone(), key, queue }
    }

    /// Hands commands to the session with this key.
    pub(super) fn post(&self, key: SessionKey, commands: PostedCommands) -> PostOutcome {
        let outcome = self.offer(key, commands);
        self.parts.metrics.posted(match outcome {
            PostOutcome::Taken => PostResult::Taken,
            PostOutcome::Gone => PostResult::Gone,
            PostOutcome::Full => PostResult::Full,
        });
        outcome
    }

    fn offer(&self, key: SessionKey, commands: PostedCommands) -> PostOutcome {
        let (outbox, queue) = {
            let mut state = self.state.borrow_mut();
            let Some((connection, queue)) = state.sessions.get(&key).cloned() else { return PostOutcome::Gone };
            let Some(entry) = state.entry(connection) else { return PostOutcome::Gone };
            (entry.outbox.clone(), queue)
        };
        let outcome = queue.push(commands);
        if outcome == PostOutcome::Taken {
            outbox.wake();
        }
        outcome
    }
}
