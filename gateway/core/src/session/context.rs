//! What the handling of one input needs.

use super::{Action, Op, OpId, SessionConfig};
use crate::{
    model::{ConnectionId, Tick},
    protocol::Reply,
};

/// The time and the settings for one input, and the actions that it causes.
pub(super) struct Context<'a> {
    pub(super) now: Tick,
    pub(super) connection: ConnectionId,
    pub(super) config: &'a SessionConfig,
    pub(super) last_op: &'a mut u32,
    pub(super) actions: &'a mut Vec<Action>,
}

impl Context<'_> {
    pub(super) fn emit(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn start(&mut self, op: Op) -> OpId {
        *self.last_op = self.last_op.wrapping_add(1);
        let id = OpId(*self.last_op);
        self.emit(Action::Start(id, op));
        id
    }

    pub(super) fn reply(&mut self, command: u32, reply: Reply) {
        self.emit(Action::Reply(command, reply));
    }

    pub(super) fn refuse(&mut self, command: u32, error: impl Into<Reply>) {
        self.reply(command, error.into());
    }
}
