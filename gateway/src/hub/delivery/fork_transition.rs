//! From one timeline of a channel into the next, for those who have everything up to the fork.
//!
//! A fork has its place among the deliveries that wait: whoever comes to it has been handed all that was before. The client of a server-side
//! subscription is told the new epoch there, and goes on. That of any other has no ear for it: its subscription gets nothing more, so that its
//! position stays at the fork, and is told in its turn to subscribe again. It then finds what it lacks remembered by the slot.

use super::fan_out::Turn;
use crate::{
    hub::{
        hub::Hub,
        output::{batch::Batch, encode},
        state::{
            entry::Entry,
            resubscribe_queue::Resubscribe,
            slot::{ForkTransition, Member, Role},
        },
    },
    telemetry::Count,
};
use gateway_core::{
    channel::recovery::Start,
    model::{ChannelName, PageLimit, Position, RecoverFrom},
};
use slab::Slab;

impl Turn<'_> {
    // NL-1.6
    /// Brings members over a fork. Answers those that have to begin anew.
    pub(crate) fn cross(
        &self,
        batch: &std::rc::Rc<Batch>,
        to: &ForkTransition,
        members: &mut [Member],
        connections: &Slab<Entry>,
    ) -> Vec<Resubscribe> {
        let mut ended = Vec::new();
        for member in members.iter_mut().filter(|member| to.is_beyond(member.timeline)) {
            member.timeline = to.to;
            // An attach may have read ahead of the lane.
            let at = Position { offset: member.joined.max(to.fork.at.offset), ..to.fork.at };
            match connections.get(member.connection as usize) {
                Some(entry) if member.role == Role::Server && at.offset <= to.fork.shared => {
                    let told = if at == to.fork.at { batch.clone() } else { self.position(at) };
                    entry.outbox.push(self.now, told);
                }
                _ => ended.extend(member.end(self.key, self.life)),
            }
        }
        ended
    }

    fn position(&self, at: Position) -> std::rc::Rc<Batch> {
        Batch::new(encode::position(&self.name, at), self.hub.budget())
    }
}

impl Hub {
    // NL-1.4
    /// What a returning client needs, if this worker remembers all of it and it is within `limit`: then nothing has to be read.
    ///
    /// Whoever starts from it is as well off as those who are live on the channel: what is beyond comes over the lane to all of them, or is found
    /// missing for all of them.
    pub fn remembered(&self, channel: &ChannelName, recover: &RecoverFrom, limit: PageLimit) -> Option<Start> {
        let start = {
            let state = self.state.borrow();
            let slot = state.channels.get(channel).and_then(|key| state.slots.get(key.index()))?;
            let answer = slot.feed.resume(recover.position()?)?;
            let publications = slot.since(answer.offset, limit)?;
            Start::remembered(answer, publications)
        };
        self.parts.metrics.count(Count::RecoveriesFromMemory, 1);
        Some(start)
    }
}
