//! Commands of a translator that wait until the actions of the session before them are carried out.

use gateway_core::protocol::Command;
use std::{collections::VecDeque, mem};

/// Commands that wait.
#[derive(Default)]
pub(super) struct Deferred {
    commands: VecDeque<Command>,
    /// Whether they are being carried out.
    is_running: bool,
}

impl Deferred {
    pub(super) fn push(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    /// Begins to carry out the commands. Returns false if somebody does already.
    pub(super) fn begin(&mut self) -> bool {
        !mem::replace(&mut self.is_running, true)
    }

    /// The next command, if the session takes one. Otherwise nobody carries them out any more.
    pub(super) fn next(&mut self, takes_input: bool) -> Option<Command> {
        let next = self.commands.pop_front_if(|_| takes_input);
        if next.is_none() {
            self.is_running = false;
            if self.commands.is_empty() {
                self.commands = VecDeque::new();
            }
        }
        next
    }
}
