//! One input being handled: what every part of a session needs for its answer.

use super::{Action, Op, OpId, Rules};
use crate::{
    model::{ConnectionId, Disconnect, ErrorCode, Refusal, Revocation, Tick},
    protocol::Reply,
};

/// Bytes that a close reason may have (RFC 6455, section 5.5).
const MAX_REASON: usize = 123;

/// The connection has to be closed: where this is returned, nothing more is done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) code: u16,
    pub(super) reason: Box<str>,
}

impl Closing {
    pub(super) fn new(code: u16, reason: &str) -> Self {
        let end = (0..=MAX_REASON.min(reason.len())).rev().find(|&end| reason.is_char_boundary(end));
        Self { code, reason: reason[..end.unwrap_or_default()].into() }
    }

    /// The client broke the protocol.
    pub(super) fn bad_request(why: &str) -> Self {
        Self::new(Disconnect::BadRequest.code(), why)
    }
}

impl From<Disconnect> for Closing {
    fn from(why: Disconnect) -> Self {
        Self::new(why.code(), why.reason())
    }
}

/// Closes who came with a token of this time, if a service has disconnected its user for good since.
pub(super) fn revoked(revocation: &Revocation, issued: Option<u64>) -> Result<(), Closing> {
    if revocation.applies_to(issued) { Err(Closing::new(revocation.code, &revocation.reason)) } else { Ok(()) }
}

/// One input being handled.
pub(super) struct Turn<'a> {
    pub(super) now: Tick,
    pub(super) connection: ConnectionId,
    pub(super) rules: &'a Rules,
    pub(super) last_op: &'a mut u32,
    pub(super) actions: &'a mut Vec<Action>,
}

impl Turn<'_> {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn start(&mut self, op: Op) -> OpId {
        *self.last_op = self.last_op.wrapping_add(1);
        let id = OpId(*self.last_op);
        self.act(Action::Start(id, op));
        id
    }

    pub(super) fn reply(&mut self, command: u32, reply: Reply) {
        self.act(Action::Reply(command, reply));
    }

    pub(super) fn refuse(&mut self, command: u32, refusal: impl Into<Refusal>) {
        self.reply(command, Reply::Error(refusal.into()));
    }
}

/// An outcome that does not belong to its operation: our own mistake, told as such.
pub(super) fn mismatch() -> Refusal {
    ErrorCode::Internal.into()
}
