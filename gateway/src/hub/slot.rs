//! One channel on one worker: its feed, its members, and what waits to be handed to them.

use super::{batch::Batch, members::Members};
use crate::{
    broker::{Announcement, Delivery},
    channel::{ChannelOptions, feed::Feed},
    model::{ChannelName, Publication},
    telemetry::Step,
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
    /// Connections that are attaching, and what was delivered meanwhile.
    pub(super) attaching: u32,
    pub(super) recent: VecDeque<Arc<Publication>>,
    pub(super) pending: VecDeque<Delivery>,
    pub(super) fan_out: Option<Box<FanOut>>,
    /// Whether it is in line for its turn of the fan-out.
    pub(super) in_line: bool,
}

/// A live subscription.
#[derive(Debug)]
pub(super) struct Member {
    /// The connection's index in the hub; it removes its members before it goes.
    pub(super) connection: u32,
    /// Wants joins and leaves.
    pub(super) join_leave: bool,
    /// Has everything up to this offset.
    pub(super) joined: u64,
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
}

impl Slot {
    pub(super) fn new(name: ChannelName, life: u32, options: Arc<ChannelOptions>) -> Self {
        Self {
            name,
            life,
            options,
            feed: Feed::default(),
            members: Members::default(),
            attaching: 0,
            recent: VecDeque::new(),
            pending: VecDeque::new(),
            fan_out: None,
            in_line: false,
        }
    }

    /// Whether nobody needs the channel here any more.
    pub(super) fn is_vacant(&self) -> bool {
        self.attaching == 0 && self.members.is_empty()
    }

    /// Whether something waits for its turn.
    pub(super) fn has_work(&self) -> bool {
        self.fan_out.is_some() || !self.pending.is_empty()
    }

    /// Queues a publication for the members, and remembers it for those who are attaching; at most `remember` of them.
    pub(super) fn deliver(&mut self, publication: Arc<Publication>, remember: usize) {
        if self.attaching > 0 && publication.position.is_some() {
            if self.recent.len() >= remember {
                self.recent.pop_front();
            }
            self.recent.push_back(publication.clone());
        }
        if !self.members.is_empty() {
            self.pending.push_back(Delivery::Publication(publication));
        }
    }

    /// Queues a join or leave.
    pub(super) fn announce(&mut self, announcement: Announcement) {
        if !self.members.is_empty() {
            self.pending.push_back(Delivery::Announcement(announcement));
        }
    }

    /// What was delivered after `offset`, up to the feed's position; none if not all of it is remembered, or it has more than `room` bytes.
    pub(super) fn since(&self, offset: u64, room: usize) -> Option<Vec<Arc<Publication>>> {
        let newest = self.feed.position().map_or(0, |position| position.offset);
        if newest <= offset {
            return Some(Vec::new());
        }
        let after: Vec<_> = self.recent.iter().filter(|p| p.position.is_some_and(|at| at.offset > offset)).cloned().collect();
        let fits = after.iter().map(|publication| publication.size()).sum::<usize>() <= room;
        (fits && after.len() as u64 == newest - offset).then_some(after)
    }

    /// One connection is no longer attaching.
    pub(super) fn attached(&mut self) {
        self.attaching -= 1;
        if self.attaching == 0 {
            self.recent = VecDeque::new();
        }
    }

    /// Takes a run of like deliveries, of about `bytes` bytes, out of the queue.
    pub(super) fn next_run(&mut self, bytes: usize) -> Option<Run> {
        let mut size = 0;
        match self.pending.front()? {
            Delivery::Publication(_) => {
                let mut run = Vec::new();
                while size < bytes {
                    let Some(Delivery::Publication(next)) = self.pending.pop_front_if(|next| matches!(next, Delivery::Publication(_)))
                    else {
                        break;
                    };
                    size += next.size();
                    run.push(next);
                }
                Some(Run::Publications(run))
            }
            Delivery::Announcement(_) => {
                let mut run = Vec::new();
                while size < bytes {
                    let Some(Delivery::Announcement(next)) = self.pending.pop_front_if(|next| matches!(next, Delivery::Announcement(_)))
                    else {
                        break;
                    };
                    size += ANNOUNCEMENT_BYTES;
                    run.push(next);
                }
                Some(Run::Announcements(run))
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
}

impl FanOut {
    /// The offsets that the batch covers; none if it holds nothing with a position.
    pub(super) fn first_offset(&self) -> Option<u64> {
        match &self.content {
            Content::Publications(all) => all.iter().find_map(|p| p.position).map(|at| at.offset),
            Content::Announcements => None,
        }
    }

    /// What a member that has everything up to `joined` lacks of the batch.
    pub(super) fn lacking(&self, joined: u64) -> Vec<Arc<Publication>> {
        match &self.content {
            Content::Publications(all) => all.iter().filter(|p| p.position.is_none_or(|at| at.offset > joined)).cloned().collect(),
            Content::Announcements => Vec::new(),
        }
    }
}
