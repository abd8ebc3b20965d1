//! From one timeline of a channel into the next, for those who have everything up to the fork.
//!
//! A fork has its place among the deliveries that wait: whoever comes to it has been handed all that was before. The client of a server-side
//! subscription is told the new epoch there, and goes on. That of any other has no ear for it: its subscription gets nothing more, so that its
//! position stays at the fork, and is told in its turn to subscribe again. It then finds what it lacks remembered by the slot.

use super::{
    Entry, Hub, SlotKey, State,
    batch::Batch,
    encode,
    fan_out::Turn,
    restart::Restart,
    slot::{Crossing, Item, Member, Role, Slot},
};
use crate::telemetry::Count;
use gateway_core::{
    channel::{feed::EpochChange, recovery::SubscriptionStart},
    model::{ChannelName, PageLimit, Position, RecoverFrom},
};
use slab::Slab;

impl Member {
    /// Gets nothing any more. None if that was so before.
    fn end(&mut self, slot: SlotKey, life: u32) -> Option<Restart> {
        let before = std::mem::replace(&mut self.role, Role::Ended);
        (before != Role::Ended).then_some(Restart { connection: self.connection, slot, life })
    }
}

impl Slot {
    /// Puts a fork behind the deliveries that wait.
    pub(super) fn cross(&mut self, change: EpochChange) {
        self.timeline = self.timeline.wrapping_add(1);
        self.pending.push_back(Item::Fork(Crossing { change, to: self.timeline }));
    }

    /// Ends every live subscription. Nothing is delivered to it from now on, so that its client's position stays where it was.
    fn end_all(&mut self, key: SlotKey) -> Vec<Restart> {
        // Its offsets may mean something else to those who come next.
        self.pending.clear();
        self.recent.clear();
        self.timeline = self.timeline.wrapping_add(1);
        self.crossed = self.timeline;
        let life = self.life;
        let ended: Vec<_> = self.members.iter_mut().filter_map(|member| member.end(key, life)).collect();
        self.ended += ended.len() as u32;
        ended
    }
}

impl State {
    /// See [`Slot::end_all`].
    pub(super) fn end_all(&mut self, key: SlotKey) -> Vec<Restart> {
        let Some(slot) = self.slots.get_mut(key.index()) else { return Vec::new() };
        self.pending -= slot.pending.len();
        slot.end_all(key)
    }
}

impl Turn<'_> {
    /// Brings members over a fork. Answers those that have to begin anew.
    pub(super) fn cross(
        &self,
        batch: &std::rc::Rc<Batch>,
        to: &Crossing,
        members: &mut [Member],
        connections: &Slab<Entry>,
    ) -> Vec<Restart> {
        let mut ended = Vec::new();
        for member in members.iter_mut().filter(|member| to.is_beyond(member.timeline)) {
            member.timeline = to.to;
            // An attach may have read ahead of the lane.
            let at = Position { offset: member.joined.max(to.change.position.offset), ..to.change.position };
            match connections.get(member.connection as usize) {
                Some(entry) if member.role == Role::Server && at.offset <= to.change.fork_offset => {
                    let told = if at == to.change.position { batch.clone() } else { self.position(at) };
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
    /// What a returning client needs, if this worker remembers all of it and it is within `limit`: then nothing has to be read.
    ///
    /// Whoever starts from it is as well off as those who are live on the channel: what is beyond comes over the lane to all of them, or is found
    /// missing for all of them.
    pub fn remembered(&self, channel: &ChannelName, recover: &RecoverFrom, limit: PageLimit) -> Option<SubscriptionStart> {
        let start = {
            let state = self.state.borrow();
            let slot = state.channels.get(channel).and_then(|key| state.slots.get(key.index()))?;
            let answer = slot.feed.in_current_epoch(recover.position()?)?;
            let publications = slot.since(answer.offset, limit)?;
            SubscriptionStart::from_memory(answer, publications)
        };
        self.parts.metrics.count(Count::RecoveriesRemembered, 1);
        Some(start)
    }
}
