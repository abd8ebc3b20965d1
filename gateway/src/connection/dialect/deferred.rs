//! Commands of a translator that wait until the actions of the session before them are carried out.

use super::dialect::Dialect;
use crate::connection::driver::Driver;
use gateway_core::protocol::Command;
use std::{collections::VecDeque, mem};

/// Commands that wait.
#[derive(Default)]
pub(in crate::connection) struct Deferred {
    commands: VecDeque<Command>,
    /// Whether they are being carried out.
    is_running: bool,
}

impl Deferred {
    pub(super) fn push(&mut self, command: Command) {
        self.commands.push_back(command);
    }
}

impl Dialect {
    fn deferred(&mut self) -> Option<&mut Deferred> {
        match self {
            Self::Centrifuge(_) => None,
            Self::Stomp(stomp) => Some(&mut stomp.deferred),
            Self::EventSource(stream) => Some(&mut stream.deferred),
        }
    }
}

impl Driver {
    /// Passes the commands to the session that wait for the end of the actions before them. A command may cause further ones. While the session
    /// takes no input, they wait for the end of an operation.
    pub(in crate::connection) fn run_deferred(&mut self) {
        let Some(deferred) = self.dialect.deferred() else { return };
        if mem::replace(&mut deferred.is_running, true) {
            return;
        }
        while let Some(deferred) = self.dialect.deferred() {
            let Some(command) = deferred.commands.pop_front_if(|_| self.needs.input) else {
                deferred.is_running = false;
                if deferred.commands.is_empty() {
                    deferred.commands = VecDeque::new();
                }
                return;
            };
            self.command(command);
        }
    }
}
