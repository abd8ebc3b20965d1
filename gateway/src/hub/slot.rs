//! One channel on one worker: its feed, its members, and what waits to be handed to them.

use super::{batch::Batch, members::Members};
use crate::{broker::Announcement, telemetry::Step};
use gateway_core::{
    channel::{
        ChannelOptions,
        feed::{EpochChange, Feed},
    },
    model::{ChannelName, PageLimit, Position, Publication, SubscriptionSide},
};
use std::{collections::VecDeque, rc::Rc, sync::Arc};

/// See the module.
pub(super) struct Slot {
    pub(super) name: ChannelName,
    /// Tells this life of the channel on this worker from earlier ones.
    pub(super) life: u32,
    pub(super) options: Arc<ChannelOptions>,
    pub(super) feed: Feed,
    pub(super) members: Members<Member>,
    /// Connections that are attaching.
    pub(super) attaching: u32,
    /// Subscriptions that have ended, and will come back.
    pub(super) ended: u32,
    /// What was delivered while anybody is on the way here.
    pub(super) recent: VecDeque<Arc<Publication>>,
    pub(super) pending: VecDeque<Item>,
    /// Timelines that the feed has been in, and that the members have.
    pub(super) timeline: u16,
    pub(super) crossed: u16,
    pub(super) fan_out: Option<Box<FanOut>>,
    /// Whether it is in line for its turn of the fan-out.
    pub(super) in_line: bool,
}

/// A live subscription.
#[derive(Debug)]
pub(super) struct Member {
    /// The connection's index in the hub; it removes its members before it goes.
    pub(super) connection: u32,
    /// The slot's count of timelines when it joined, or when it last went into a new one.
    pub(super) timeline: u16,
    /// Wants joins and leaves.
    pub(super) join_leave: bool,
    pub(super) role: Role,
    /// Has everything up to this offset.
    pub(super) joined: u64,
}

/// What a live subscription is, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Client-side.
    Client,
    /// Server-side.
    Server,
    /// Nothing comes to it any more: its connection is told that it has to begin anew.
    Ended,
}

impl From<SubscriptionSide> for Role {
    fn from(side: SubscriptionSide) -> Self {
        match side {
            SubscriptionSide::Client => Self::Client,
            SubscriptionSide::Server => Self::Server,
        }
    }
}

/// What waits for its turn.
pub(super) enum Item {
    Publication(Arc<Publication>),
    Announcement(Announcement),
    Fork(Crossing),
}

/// A fork in its place among the deliveries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crossing {
    pub(super) change: EpochChange,
    /// The slot's count of timelines, with the new one.
    pub(super) to: u16,
}

impl Crossing {
    /// Where those stand who have no more than was delivered before the fork.
    pub(super) fn at(&self) -> Position {
        self.change.position
    }

    /// Whether who knows of so many timelines does not know of this one. Counts begin anew after the largest.
    pub(super) fn is_beyond(&self, timeline: u16) -> bool {
        self.to.wrapping_sub(timeline).cast_signed() > 0
    }
}

/// A batch that is being handed out.
pub(super) struct FanOut {
    pub(super) batch: Rc<Batch>,
    pub(super) content: Content,
    /// The newest publication alone, for those who read too slowly for all.
    pub(super) newest: Option<Rc<Batch>>,
    /// Its span ends with the last subscriber.
    pub(super) _step: Step,
}

/// What a batch holds.
pub(super) enum Content {
    Publications(Vec<Arc<Publication>>),
    Announcements,
    Fork(Crossing),
}

impl Slot {
    pub(super) fn new(name: ChannelName, life: u32, options: Arc<ChannelOptions>, feed: Feed) -> Self {
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
            crossed: 0,
            fan_out: None,
            in_line: false,
        }
    }

    /// Whether nobody needs the channel here any more.
    pub(super) fn is_vacant(&self) -> bool {
        self.attaching == 0 && self.ended == 0 && self.members.is_empty()
    }

    /// Whether something waits for its turn.
    pub(super) fn has_work(&self) -> bool {
        self.fan_out.is_some() || !self.pending.is_empty()
    }

    /// Whether somebody attaches, or has to come back.
    fn is_awaited(&self) -> bool {
        self.attaching > 0 || self.ended > 0 || self.crossed != self.timeline
    }

    /// Queues a publication for the members, and remembers it for those who are on the way here; at most `remember` of them.
    pub(super) fn deliver(&mut self, publication: Arc<Publication>, remember: usize) {
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
    pub(super) fn announce(&mut self, announcement: Announcement) {
        if !self.members.is_empty() {
            self.pending.push_back(Item::Announcement(announcement));
        }
    }

    /// What was delivered after `offset`, up to the feed's position; none if not all of it is remembered, or it is beyond `limit`.
    pub(super) fn since(&self, offset: u64, limit: PageLimit) -> Option<Vec<Arc<Publication>>> {
        let newest = self.feed.position().map_or(0, |position| position.offset);
        if newest <= offset {
            return Some(Vec::new());
        }
        let after: Vec<_> = self.recent.iter().filter(|p| p.position.is_some_and(|at| at.offset > offset)).cloned().collect();
        let fits = after.len() <= limit.entries && after.iter().map(|publication| publication.size()).sum::<usize>() <= limit.bytes;
        (fits && after.len() as u64 == newest - offset).then_some(after)
    }

    /// One connection is no longer attaching.
    pub(super) fn attached(&mut self) {
        self.attaching -= 1;
        self.forget();
    }

    /// All members know of this timeline.
    pub(super) fn has_crossed(&mut self, to: &Crossing) {
        if to.is_beyond(self.crossed) {
            self.crossed = to.to;
        }
        self.forget();
    }

    /// Nothing is remembered for nobody.
    pub(super) fn forget(&mut self) {
        if !self.is_awaited() {
            self.recent = VecDeque::new();
        }
    }

    /// Takes a run of like deliveries, of about `bytes` bytes, out of the queue.
    pub(super) fn next_run(&mut self, bytes: usize) -> Option<Run> {
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
}

/// About what a join takes when encoded.
const ANNOUNCEMENT_BYTES: usize = 256;

/// Deliveries that become one batch.
pub(super) enum Run {
    Publications(Vec<Arc<Publication>>),
    Announcements(Vec<Announcement>),
    Fork(Crossing),
}

impl FanOut {
    /// The offsets that the batch covers; none if it holds nothing with a position.
    pub(super) fn first_offset(&self) -> Option<u64> {
        match &self.content {
            Content::Publications(all) => all.iter().find_map(|p| p.position).map(|at| at.offset),
            Content::Announcements | Content::Fork(_) => None,
        }
    }

    /// What a member that has everything up to `joined` lacks of the batch.
    pub(super) fn lacking(&self, joined: u64) -> Vec<Arc<Publication>> {
        match &self.content {
            Content::Publications(all) => all.iter().filter(|p| p.position.is_none_or(|at| at.offset > joined)).cloned().collect(),
            Content::Announcements | Content::Fork(_) => Vec::new(),
        }
    }
}
