//! Entries that become dead letters.

use super::{
    backlog::{Backlog, shortened},
    state::{Chain, Full, Head, Refused},
};
use crate::{
    model::Tick,
    queue::{DeadLetter, DeadLettered, EntryId},
};
use std::time::Duration;

/// Bytes of the detail of an entry that the store has refused as a dead letter. There may be many of them.
const REFUSED_DETAIL: usize = 128;

impl<P: Clone> Backlog<P> {
    /// The next entry that becomes a dead letter. Call [`Self::dead_lettered`] with what the store did.
    pub fn next_dead_letter(&mut self) -> Option<DeadLetter> {
        let (id, at) = self.chains.first_dead_letter_due().filter(|_| self.dead_letter_moves.may_begin())?;
        self.dead_letter_moves.under_way += 1;
        self.chains.change(at, |chain| {
            let Head::DeadLetterDue(cause) = &chain.state else { return None };
            let letter = DeadLetter { id, reason: cause.reason, detail: cause.detail.clone(), tries: chain.tries };
            chain.state = Head::MovingToDeadLetters(cause.clone());
            Some(letter)
        })?
    }

    /// What the store did with a dead letter. If it has too many, the key of the entry waits, and the owner tries it again.
    pub fn dead_lettered(&mut self, id: EntryId, outcome: DeadLettered, now: Tick) {
        self.dead_letter_moves.under_way = self.dead_letter_moves.under_way.saturating_sub(1);
        let at = self
            .chains
            .with_head(id)
            .filter(|at| matches!(self.chains.get(*at).map(|chain| &chain.state), Some(Head::MovingToDeadLetters(_))));
        match outcome {
            DeadLettered::Moved => {
                self.dead_letter_moves.full = None;
                if let Some(at) = at {
                    self.advance(at, id, now);
                }
            }
            DeadLettered::Full => {
                let full = self.dead_letter_moves.full.get_or_insert(Full { pause: Duration::ZERO, until: None });
                if full.until.is_none() {
                    full.pause = (full.pause * 2).clamp(self.limits.retry_min, self.limits.retry_max);
                    full.until = Some(now.after(full.pause));
                }
                at.map(|at| self.chains.change(at, refuse));
            }
        }
    }

    /// Whether entries wait for a place among the dead letters.
    pub fn dead_letters_full(&self) -> bool {
        self.dead_letter_moves.full.is_some() && self.chains.first_dead_letter_due().is_some()
    }
}

fn refuse<P>(chain: &mut Chain<P>) {
    let Head::MovingToDeadLetters(cause) = &mut chain.state else { return };
    let mut cause = cause.clone();
    cause.refused = Refused::Once;
    cause.detail = shortened(&cause.detail, REFUSED_DETAIL).into();
    chain.state = Head::DeadLetterDue(cause);
    chain.unload();
}
