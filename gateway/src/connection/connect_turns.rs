//! Turns of connections that are not connected yet. When many clients connect at once, each worker has thousands of such connections with something to do;
//! without turns, a call of another connection would wait until all of them have done it.

use super::limits::ConnectionLimits;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    num::NonZeroU64,
    rc::Rc,
    task::{Context, Poll, Waker},
};
use tokio::task::{spawn_local, yield_now};

#[cfg(test)]
mod tests;

/// The turns of one worker, in rounds. Between two rounds everything else on the worker runs once.
pub(super) struct ConnectTurns {
    per_round: usize,
    /// Turns that are left in this round.
    left: Cell<usize>,
    /// Connections that wait for a turn, in the order in which they came. At most all connections of the worker.
    waiting: RefCell<VecDeque<Waker>>,
    last_ticket: Cell<u64>,
    last_called: Cell<u64>,
    /// Whether a task begins the next round.
    is_running: Cell<bool>,
}

/// The place of a connection that waits for a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(NonZeroU64);

impl ConnectTurns {
    pub(super) fn new(limits: &ConnectionLimits) -> Rc<Self> {
        let per_round = limits.turn_connects.max(1);
        Rc::new(Self {
            per_round,
            left: Cell::new(per_round),
            waiting: RefCell::default(),
            last_ticket: Cell::new(0),
            last_called: Cell::new(0),
            is_running: Cell::new(false),
        })
    }

    /// Takes a turn. A connection that has to wait gets a ticket, is woken when its turn comes, and calls again with the ticket. Needs a
    /// [`LocalSet`](tokio::task::LocalSet).
    pub(super) fn poll(self: &Rc<Self>, ticket: &mut Option<Ticket>, cx: &Context<'_>) -> Poll<()> {
        if let Some(Ticket(number)) = *ticket {
            if number.get() > self.last_called.get() {
                return Poll::Pending;
            }
            *ticket = None;
            return Poll::Ready(());
        }
        if !self.is_running.replace(true) {
            spawn_local(Rc::clone(self).run_rounds());
        }
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() && self.left.get() > 0 {
            self.left.set(self.left.get() - 1);
            return Poll::Ready(());
        }
        self.last_ticket.set(self.last_ticket.get() + 1);
        *ticket = NonZeroU64::new(self.last_ticket.get()).map(Ticket);
        waiting.push_back(cx.waker().clone());
        Poll::Pending
    }

    /// Begins rounds until nobody waits.
    async fn run_rounds(self: Rc<Self>) {
        loop {
            // Continues when all others have run, and when the worker has looked at its sockets.
            yield_now().await;
            let called = self.begin_round();
            if called.is_empty() {
                return self.is_running.set(false);
            }
            called.into_iter().for_each(Waker::wake);
        }
    }

    /// Calls the first who wait.
    fn begin_round(&self) -> Vec<Waker> {
        let mut waiting = self.waiting.borrow_mut();
        let count = waiting.len().min(self.per_round);
        self.last_called.set(self.last_called.get() + count as u64);
        self.left.set(self.per_round - count);
        waiting.drain(..count).collect()
    }
}
