//! The commands that wait for the session of a stream.

use crate::{
    broker::{PostOutcome, PostedCommands},
    hub::keys::ConnKey,
};
use gateway_core::model::SessionKey;
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::Rc,
};

/// Memory that a waiting request uses beside its commands, in bytes.
const OVERHEAD: usize = 64;

/// The sessions with keys, their connections and the commands that wait for them.
pub(crate) type Sessions = HashMap<SessionKey, (ConnKey, Rc<PostedQueue>), foldhash::quality::RandomState>;

/// The commands that wait for one session, in the order in which they arrived.
#[derive(Debug)]
pub(crate) struct PostedQueue {
    commands: RefCell<VecDeque<PostedCommands>>,
    bytes: Cell<usize>,
    limit: usize,
}

impl PostedQueue {
    pub(crate) fn new(limit: usize) -> Self {
        Self { commands: RefCell::default(), bytes: Cell::new(0), limit }
    }

    /// Adds commands. An empty queue takes a request of any size; the HTTP interface limits it.
    pub(crate) fn push(&self, commands: PostedCommands) -> PostOutcome {
        let mut queue = self.commands.borrow_mut();
        let bytes = self.bytes.get() + commands.len() + OVERHEAD;
        if !queue.is_empty() && bytes > self.limit {
            return PostOutcome::Full;
        }
        self.bytes.set(bytes);
        queue.push_back(commands);
        PostOutcome::Taken
    }

    pub(crate) fn pop(&self) -> Option<PostedCommands> {
        let mut queue = self.commands.borrow_mut();
        let next = queue.pop_front();
        if let Some(next) = &next {
            self.bytes.set(self.bytes.get() - next.len() - OVERHEAD);
        }
        if queue.is_empty() && queue.capacity() > 0 {
            *queue = VecDeque::new();
        }
        next
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commands.borrow().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(bytes: usize) -> PostedCommands {
        PostedCommands::Json("x".repeat(bytes).into())
    }

    #[test]
    fn commands_wait_in_their_order_up_to_the_limit() {
        let queue = PostedQueue::new(1000);
        let each = [commands(400), commands(300)];
        for commands in &each {
            assert_eq!(queue.push(commands.clone()), PostOutcome::Taken);
        }
        assert_eq!(queue.push(commands(200)), PostOutcome::Full);
        assert_eq!(queue.push(commands(100)), PostOutcome::Taken);
        assert_eq!([queue.pop(), queue.pop()].map(Option::unwrap), each);
        assert_eq!((queue.pop(), queue.pop(), queue.bytes.get()), (Some(commands(100)), None, 0));
        assert_eq!(queue.commands.borrow().capacity(), 0, "an idle session uses no memory for it");
    }

    #[test]
    fn an_empty_queue_takes_a_request_of_any_size() {
        let queue = PostedQueue::new(10);
        assert_eq!([queue.push(commands(5000)), queue.push(commands(1))], [PostOutcome::Taken, PostOutcome::Full]);
    }
}
