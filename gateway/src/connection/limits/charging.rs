//! Charges a connection for what its client sends and holds.

use super::work_size::WorkSize;
use crate::{
    connection::{close_cause::CloseCause, driver::Driver},
    hub::Notice,
};
use gateway_core::{
    limits::Limit,
    model::{Disconnect, Tick},
    session::Outcome,
};

/// About what an operation in flight uses besides its command, in bytes.
const OPERATION_BYTES: usize = 512;
/// A close code of the IANA registry for RFC 6455, section 11.7.
const TRY_AGAIN_LATER: u16 = 1013;

impl Driver {
    /// Charges the connection for a message or a control frame. Returns false if it is closed, because it goes on in spite of its limits.
    pub(in crate::connection) fn charge(&mut self, now: Tick, bytes: usize, commands: u64) -> bool {
        let Some(limit) = self.session.received(now, bytes, commands) else { return true };
        self.worker.node.metrics.limited(limit);
        self.close(CloseCause::Session, Disconnect::TooManyRequests.code(), Disconnect::TooManyRequests.reason());
        false
    }

    /// Tells the budget of the worker how much memory the client's begun work uses. `input`: what incomplete messages use. Returns whether this
    /// connection closes, because the budget is spent.
    pub(in crate::connection) fn count_work(&mut self, input: usize) -> bool {
        let work = match &self.closing {
            Some(_) => input,
            None => input + self.dialect.buffered() + self.held.bytes() + self.running.len() * OPERATION_BYTES,
        };
        // In a flood the allocator keeps up to 1.58 times as much (docs/benchmarks.md): it rounds sizes up, a buffer that grows leaves smaller blocks
        // behind, and freed memory goes back to the system after a second.
        let (before, now) = (self.counted, WorkSize::of(work * 8 / 5));
        if before == now {
            return false;
        }
        self.counted = now;
        let key = self.registration.key();
        match self.worker.work_budget.change(key, before.bytes(), now.bytes()) {
            None => false,
            Some(victim) if victim == key => {
                self.end_work();
                true
            }
            Some(victim) => {
                self.worker.hub.notify(victim, Notice::WorkBudgetSpent);
                false
            }
        }
    }

    pub(in crate::connection) fn end_work(&mut self) {
        if self.closing.is_some() {
            return;
        }
        self.worker.node.metrics.limited(Limit::WorkBudget);
        self.close(CloseCause::WorkBudget, TRY_AGAIN_LATER, "the gateway needs the memory for others");
    }

    /// Counts a token that is not valid, for the address of the client.
    pub(in crate::connection) fn count_wrong_token(&self, outcome: &Outcome) {
        if let Outcome::InvalidToken(_) = outcome
            && let Some(address) = self.worker.hub.address(self.registration.key())
        {
            self.worker.node.addresses.wrong_token(self.now(), address);
        }
    }
}
