//! Moves members of a channel from one timeline to the next at a fork.
//!
//! A fork is queued among the deliveries, so that a member that reaches it has everything before it. A server-side subscription then receives the
//! new epoch and continues. A client-side subscription cannot change its epoch, so it ends there: its client's position stays at the fork, and the
//! client later receives a request to subscribe again. It then recovers the missing publications from the channel's memory.

use super::fan_out::FanOutTurn;
use crate::hub::{
    output::{batch::Batch, encode},
    state::{
        deliveries::{
            fan_out::{Chain, FanOut},
            fork::ForkTransition,
        },
        entry::Entry,
        local_channel::{Member, MemberState},
        queues::resubscribe_queue::Resubscribe,
    },
};
use gateway_core::model::Position;
use slab::Slab;

impl FanOutTurn<'_> {
    // NL-1.6
    /// Moves members to the new timeline. Returns the client-side subscriptions that have ended, and those whose position the new timeline lacks.
    pub(crate) fn apply_fork(
        &self,
        fan_out: &mut FanOut,
        transition: ForkTransition,
        members: &mut [Member],
        connections: &Slab<Entry>,
    ) -> Vec<Resubscribe> {
        let mut ended = Vec::new();
        for member in members.iter_mut().filter(|member| transition.is_after(member.timeline)) {
            member.timeline = transition.timeline;
            // A member that attached lately may have read beyond the fork.
            let at = Position { offset: member.start_offset.max(transition.change.position.offset), ..transition.change.position };
            match connections.get(member.connection as usize) {
                // The next message has the new position.
                Some(_) if member.terms.has_form() && at.offset <= transition.change.fork_offset => {}
                Some(entry) if member.state == MemberState::Server && at.offset <= transition.change.fork_offset => {
                    let position = if at == transition.change.position {
                        fan_out.whole(self.names(), member.terms.format(), Chain::Begins, self.hub.budget())
                    } else {
                        Batch::new(encode::position(&self.name, member.terms.format().encoding(), at), self.hub.budget())
                    };
                    entry.outbox.push(self.now, position);
                }
                _ => ended.extend(member.end(self.key, self.number)),
            }
        }
        ended
    }
}
