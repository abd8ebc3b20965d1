//! What the owner does with reports.

use super::{
    backlog::Backlog,
    count::OwnerCount,
    interface::{Report, Ticket},
    state::Head,
};
use crate::{model::Tick, queue::DeadReason};

/// What a report refers to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The last delivery of the entry, which nobody has reported.
    Open,
    /// An earlier delivery: its time is over.
    Earlier,
    /// An earlier delivery of an entry that becomes a dead letter.
    DeadLetterDue,
}

impl<P: Clone> Backlog<P> {
    /// What became of a delivery. Reports of earlier ownerships, and of entries that are done, have no effect.
    pub fn report(&mut self, ticket: Ticket, report: Report, now: Tick) {
        if ticket.generation != self.generation {
            return;
        }
        let Some((at, of)) = self.refers_to(ticket) else { return };
        match (report, of) {
            (Report::Done, _) => {
                self.absence.sent();
                self.count(OwnerCount::Acknowledged);
                self.acknowledge(ticket.entry);
                self.advance(at, ticket.entry, now);
            }
            (Report::Failed { temporary: false, detail, .. }, Of::Open | Of::Earlier) => {
                self.count(OwnerCount::Failed);
                if of == Of::Open {
                    self.absence.sent();
                    // The last refusal is a try, too.
                    let _ = self.try_failed(ticket.entry, at, &detail);
                }
                self.make_dead_letter(at, DeadReason::Refused, &detail);
            }
            (Report::Sent, Of::Open) => self.sent(at, ticket, now),
            (Report::Failed { temporary: true, retry_after, detail }, Of::Open) => {
                self.absence.sent();
                self.count(OwnerCount::Failed);
                let pause = self.try_failed(ticket.entry, at, &detail);
                self.wait(at, pause.map(|pause| now.after(pause.max(self.limits.asked_for(retry_after)))));
            }
            (Report::Lost, Of::Open) => {
                self.count(OwnerCount::Lost);
                if self.try_failed(ticket.entry, at, "The link broke while the service had the delivery.").is_some() {
                    self.again(at, now);
                }
            }
            (Report::NotSent, Of::Open) => {
                self.count(OwnerCount::NotSent);
                self.absence.not_sent(now);
                self.again(at, now);
            }
            (Report::Sent | Report::Failed { .. } | Report::Lost | Report::NotSent, Of::Earlier | Of::DeadLetterDue) => {}
        }
    }

    fn refers_to(&self, ticket: Ticket) -> Option<(usize, Of)> {
        let at = self.chains.with_head(ticket.entry)?;
        let chain = self.chains.get(at)?;
        match chain.state {
            Head::Handed | Head::Sent(_) if chain.tries.saturating_add(1) == ticket.attempt => Some((at, Of::Open)),
            Head::DeadLetterDue(_) | Head::MovingToDeadLetters(_) => Some((at, Of::DeadLetterDue)),
            _ => Some((at, Of::Earlier)),
        }
    }

    fn sent(&mut self, at: usize, ticket: Ticket, now: Tick) {
        self.absence.sent();
        let until = now.after(self.limits.visibility);
        let begins = self.chains.change(at, |chain| {
            let begins = chain.state == Head::Handed;
            if begins {
                chain.state = Head::Sent(until);
            }
            begins
        });
        if begins == Some(true) {
            self.count(OwnerCount::Delivered);
            if ticket.attempt > 1 {
                self.count(OwnerCount::Redelivered);
            }
        }
    }

    /// The head is delivered again at once.
    fn again(&mut self, at: usize, now: Tick) {
        self.chains.change(at, |chain| chain.state = Head::Unloaded);
        self.settle(at, now);
    }
}
