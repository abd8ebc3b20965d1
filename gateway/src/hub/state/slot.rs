//! One channel on one worker: its feed, its members, and what waits to be handed to them.

use super::{members::Members, resubscribe_queue::Resubscribe};
use crate::{
    broker::Announcement,
    hub::{keys::SlotKey, output::batch::Batch},
    telemetry::TraceSpan,
};
use gateway_core::{
    channel::{
        ChannelOptions,
        feed::{Feed, Fork},
    },
    model::{ChannelName, PageLimit, Position, Publication, Side},
};
use std::{collections::VecDeque, rc::Rc, sync::Arc};

/// See the module.
pub(crate) struct Slot {
    pub(crate) name: ChannelName,
    /// Tells this life of the channel on this worker from earlier ones.
    pub(crate) life: u32,
    pub(crate) options: Arc<ChannelOptions>,
    pub(crate) feed: Feed,
    pub(crate) members: Members<Member>,
    /// Connections that are attaching.
    pub(crate) attaching: u32,
    /// Subscriptions that have ended, and will come back.
    pub(crate) ended: u32,
    /// What was delivered while anybody is on the way here.
    pub(crate) recent: VecDeque<Arc<Publication>>,
    pub(crate) pending: VecDeque<Item>,
    /// Timelines that the feed has been in, and that the members have.
    pub(crate) timeline: u16,
    pub(crate) members_timeline: u16,
    pub(crate) fan_out: Option<Box<FanOut>>,
    /// Whether it is in line for its turn of the fan-out.
    pub(crate) is_queued: bool,
}

/// A live subscription.
#[derive(Debug)]
pub(crate) struct Member {
    /// The connection's index in the hub; it removes its members before it goes.
    pub(crate) connection: u32,
    /// The slot's count of timelines when it joined, or when it last went into a new one.
    pub(crate) timeline: u16,
    /// Wants joins and leaves.
    pub(crate) join_leave: bool,
    pub(crate) role: Role,
    /// Has everything up to this offset.
    pub(crate) joined: u64,
}

/// What a live subscription is, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Client-side.
    Client,
    /// Server-side.
    Server,
    /// Nothing comes to it any more: its connection is told that it has to begin anew.
    Ended,
}

impl From<Side> for Role {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Server => Self::Server,
        }
    }
}

/// What waits for its turn.
pub(crate) enum Item {
    Publication(Arc<Publication>),
    Announcement(Announcement),
    Fork(ForkTransition),
}

/// A fork in its place among the deliveries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForkTransition {
    pub(crate) fork: Fork,
    /// The slot's count of timelines, with the new one.
    pub(crate) to: u16,
}

impl ForkTransition {
    /// Where those stand who have no more than was delivered before the fork.
    pub(crate) fn at(&self) -> Position {
        self.fork.at
    }

    /// Whether who knows of so many timelines does not know of this one. Counts begin anew after the largest.
    pub(crate) fn is_beyond(&self, timeline: u16) -> bool {
        self.to.wrapping_sub(timeline).cast_signed() > 0
    }
}

/// A batch that is being handed out.
pub(crate) struct FanOut {
    pub(crate) batch: Rc<Batch>,
    pub(crate) content: Content,
    /// The newest publication alone, for those who read too slowly for all.
    pub(crate) newest: Option<Rc<Batch>>,
    /// Its span ends with the last subscriber.
    pub(crate) _step: TraceSpan,
}

/// What a batch holds.
pub(crate) enum Content {
    Publications(Vec<Arc<Publication>>),
    Announcements,
    Fork(ForkTransition),
}

impl Member {
    /// Gets nothing any more. None if that was so before.
    pub(crate) fn end(&mut self, slot: SlotKey, life: u32) -> Option<Resubscribe> {
        let before = std::mem::replace(&mut self.role, Role::Ended);
        (before != Role::Ended).then_some(Resubscribe { connection: self.connection, slot, life })
    }
}

impl Slot {
    pub(crate) fn new(name: ChannelName, life: u32, options: Arc<ChannelOptions>, feed: Feed) -> Self {
        Self {
            name,
            life,
            options,
            feed,
            members: Members::default(),
            attaching: 0,
            ended: 0,
            recent: VecDeque::new(),
            pending: VecDeque::new(),
            timeline: 0,
            members_timeline: 0,
            fan_out: None,
            is_queued: false,
        }
    }

    /// Whether nobody needs the channel here any more.
    pub(crate) fn is_vacant(&self) -> bool {
        self.attaching == 0 && self.ended == 0 && self.members.is_empty()
    }

    /// Whether something waits for its turn.
    pub(crate) fn has_work(&self) -> bool {
        self.fan_out.is_some() || !self.pending.is_empty()
    }

    /// Whether somebody attaches, or has to come back.
    fn is_awaited(&self) -> bool {
        self.attaching > 0 || self.ended > 0 || self.members_timeline != self.timeline
    }

    /// Queues a publication for the members, and remembers it for those who are on the way here; at most `remember` of them.
    pub(crate) fn deliver(&mut self, publication: Arc<Publication>, remember: usize) {
        if self.is_awaited() && publication.position.is_some() {
            if self.recent.len() >= remember {
                self.recent.pop_front();
            }
            self.recent.push_back(publication.clone());
        }
        if !self.members.is_empty() {
            self.pending.push_back(Item::Publication(publication));
        }
    }

    /// Queues a join or leave.
    pub(crate) fn announce(&mut self, announcement: Announcement) {
        if !self.members.is_empty() {
            self.pending.push_back(Item::Announcement(announcement));
        }
    }

    /// What was delivered after `offset`, up to the feed's position; none if not all of it is remembered, or it is beyond `limit`.
    pub(crate) fn since(&self, offset: u64, limit: PageLimit) -> Option<Vec<Arc<Publication>>> {
        let newest = self.feed.position().map_or(0, |position| position.offset);
        if newest <= offset {
            return Some(Vec::new());
        }
        let after: Vec<_> = self.recent.iter().filter(|p| p.position.is_some_and(|at| at.offset > offset)).cloned().collect();
        let fits = after.len() <= limit.entries && after.iter().map(|publication| publication.size()).sum::<usize>() <= limit.bytes;
        (fits && after.len() as u64 == newest - offset).then_some(after)
    }

    /// One connection is no longer attaching.
    pub(crate) fn attached(&mut self) {
        self.attaching -= 1;
        self.forget();
    }

    /// All members know of this timeline.
    pub(crate) fn members_crossed(&mut self, to: &ForkTransition) {
        if to.is_beyond(self.members_timeline) {
            self.members_timeline = to.to;
        }
        self.forget();
    }

    /// Nothing is remembered for nobody.
    pub(crate) fn forget(&mut self) {
        if !self.is_awaited() {
            self.recent = VecDeque::new();
        }
    }

    /// Takes a run of like deliveries, of about `bytes` bytes, out of the queue.
    pub(crate) fn next_run(&mut self, bytes: usize) -> Option<Run> {
        let mut size = 0;
        match self.pending.front()? {
            Item::Publication(_) => {
                let mut run = Vec::new();
                while size < bytes {
                    let Some(Item::Publication(next)) = self.pending.pop_front_if(|next| matches!(next, Item::Publication(_))) else {
                        break;
                    };
                    size += next.size();
                    run.push(next);
                }
                Some(Run::Publications(run))
            }
            Item::Announcement(_) => {
                let mut run = Vec::new();
                while size < bytes {
                    let Some(Item::Announcement(next)) = self.pending.pop_front_if(|next| matches!(next, Item::Announcement(_))) else {
                        break;
                    };
                    size += ANNOUNCEMENT_BYTES;
                    run.push(next);
                }
                Some(Run::Announcements(run))
            }
            Item::Fork(crossing) => {
                let crossing = *crossing;
                self.pending.pop_front();
                Some(Run::Fork(crossing))
            }
        }
    }

    /// Puts a fork behind the deliveries that wait.
    pub(crate) fn cross(&mut self, fork: Fork) {
        self.timeline = self.timeline.wrapping_add(1);
        self.pending.push_back(Item::Fork(ForkTransition { fork, to: self.timeline }));
    }

    /// Ends every live subscription. Nothing is delivered to it from now on, so that its client's position stays where it was.
    pub(crate) fn end_all(&mut self, key: SlotKey) -> Vec<Resubscribe> {
        // Its offsets may mean something else to those who come next.
        self.pending.clear();
        self.recent.clear();
        self.timeline = self.timeline.wrapping_add(1);
        self.members_timeline = self.timeline;
        let life = self.life;
        let ended: Vec<_> = self.members.iter_mut().filter_map(|member| member.end(key, life)).collect();
        self.ended += ended.len() as u32;
        ended
    }
}

/// About what a join takes when encoded.
const ANNOUNCEMENT_BYTES: usize = 256;

/// Deliveries that become one batch.
pub(crate) enum Run {
    Publications(Vec<Arc<Publication>>),
    Announcements(Vec<Announcement>),
    Fork(ForkTransition),
}

impl FanOut {
    /// The offsets that the batch covers; none if it holds nothing with a position.
    pub(crate) fn first_offset(&self) -> Option<u64> {
        match &self.content {
            Content::Publications(all) => all.iter().find_map(|p| p.position).map(|at| at.offset),
            Content::Announcements | Content::Fork(_) => None,
        }
    }

    /// What a member that has everything up to `joined` lacks of the batch.
    pub(crate) fn lacking(&self, joined: u64) -> Vec<Arc<Publication>> {
        match &self.content {
            Content::Publications(all) => all.iter().filter(|p| p.position.is_none_or(|at| at.offset > joined)).cloned().collect(),
            Content::Announcements | Content::Fork(_) => Vec::new(),
        }
    }
}
