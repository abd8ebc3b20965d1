//! Turns of connections that cause much work. When many clients connect at once, or send without a pause, a worker has thousands of connections
//! with something to do; without turns, a call of another connection would wait until all of them have done it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use tokio::task::{spawn_local, yield_now};

#[cfg(test)]
mod tests;

/// What makes much work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnKind {
    /// An HTTP connection was accepted, sent something, or can send the rest of an answer.
    Http = 0,
    /// A connection is not connected yet.
    Connect = 1,
    /// A connection sent more than one turn handles, or had a large answer.
    Continued = 2,
    /// A connection ends.
    End = 3,
}

/// Turns of one kind at one worker, in rounds. Between two rounds everything else on the worker runs once.
pub struct Turns {
    kind: TurnKind,
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

/// The place of a connection that waits for a turn: a number and, in the lowest two bits, the kind of the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(NonZeroU64);

impl Ticket {
    fn new(kind: TurnKind, number: u64) -> Option<Self> {
        NonZeroU64::new(number << 2 | kind as u64).map(Self)
    }

    fn is_for(self, kind: TurnKind) -> bool {
        self.0.get() & 3 == kind as u64
    }

    fn number(self) -> u64 {
        self.0.get() >> 2
    }
}

impl Turns {
    /// Rounds of so many turns, at least 1, for all connections of this thread.
    pub fn new(kind: TurnKind, per_round: usize) -> Rc<Self> {
        let per_round = per_round.max(1);
        Rc::new(Self {
            kind,
            per_round,
            left: Cell::new(per_round),
            waiting: RefCell::default(),
            last_ticket: Cell::new(0),
            last_called: Cell::new(0),
            is_running: Cell::new(false),
        })
    }

    /// Takes a turn. A connection that has to wait gets a ticket, is woken when its turn comes, and calls again with the ticket. It has one ticket
    /// at a time: a ticket for a turn of another kind is given up. Needs a [`LocalSet`](tokio::task::LocalSet).
    pub fn poll(self: &Rc<Self>, ticket: &mut Option<Ticket>, cx: &Context<'_>) -> Poll<()> {
        if let Some(held) = ticket.filter(|held| held.is_for(self.kind)) {
            if held.number() > self.last_called.get() {
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
            *ticket = None;
            return Poll::Ready(());
        }
        self.last_ticket.set(self.last_ticket.get() + 1);
        *ticket = Ticket::new(self.kind, self.last_ticket.get());
        waiting.push_back(cx.waker().clone());
        Poll::Pending
    }

    /// Runs a future whose every step is a turn.
    pub(in crate::http) fn run<F: Future>(self: &Rc<Self>, future: F) -> InTurns<F> {
        InTurns { turns: self.clone(), ticket: None, future: Box::pin(future) }
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

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").field("kind", &self.kind).field("per_round", &self.per_round).finish_non_exhaustive()
    }
}

/// See [`Turns::run`].
pub(in crate::http) struct InTurns<F> {
    turns: Rc<Turns>,
    ticket: Option<Ticket>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for InTurns<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        ready!(this.turns.poll(&mut this.ticket, cx));
        this.future.as_mut().poll(cx)
    }
}
