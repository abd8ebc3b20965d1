//! The queue under a mailbox's lock.

use super::{
    post::{Delivery, Post},
    stats::{Dropped, MailboxStats},
};
use crate::broker::{NameHasher, types::Announcement};
use gateway_core::model::{ChannelName, ServerCommand};
use std::collections::{HashMap, HashSet};

/// Some posts in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    entries: usize,
    bytes: usize,
}

impl Load {
    fn one(bytes: usize) -> Self {
        Self { entries: 1, bytes }
    }

    fn plus(self, other: Self) -> Self {
        Self { entries: self.entries.saturating_add(other.entries), bytes: self.bytes.saturating_add(other.bytes) }
    }

    fn fits(self, bound: Self) -> bool {
        self.entries <= bound.entries && self.bytes <= bound.bytes
    }

    fn is_zero(self) -> bool {
        self.entries == 0
    }
}

/// How much a mailbox holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    whole: Load,
    share: Load,
    controls: Load,
    dirty: usize,
}

impl Room {
    /// So many control posts fit into the smallest mailbox.
    const CONTROLS_MIN: usize = 64;

    pub(super) fn new(entries: usize, bytes: usize) -> Self {
        let share = Load { entries: entries / 4, bytes: bytes / 4 };
        let controls = Load { entries: share.entries.max(Self::CONTROLS_MIN), bytes: share.bytes };
        Self { whole: Load { entries, bytes }, share, controls, dirty: entries }
    }
}

/// Channels of which something was left out since the last drain.
#[derive(Debug)]
enum DirtyChannels {
    Of(HashSet<ChannelName, NameHasher>),
    /// More than can be named.
    OfMany,
}

impl DirtyChannels {
    fn covers(&self, channel: &ChannelName) -> bool {
        match self {
            Self::Of(channels) => !channels.is_empty() && channels.contains(channel),
            Self::OfMany => true,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Of(channels) if channels.is_empty())
    }

    fn add(&mut self, channel: &ChannelName, bound: usize) {
        match self {
            Self::Of(channels) if channels.len() < bound || channels.contains(channel) => {
                channels.insert(channel.clone());
            }
            _ => *self = Self::OfMany,
        }
    }

    fn hand_out(&mut self, into: &mut Vec<Post>) {
        match self {
            Self::Of(channels) => into.extend(channels.drain().map(Post::Dirty)),
            Self::OfMany => {
                into.push(Post::AllDirty);
                *self = Self::Of(HashSet::default());
            }
        }
    }
}

/// Posts in their order, and what was left out.
#[derive(Debug)]
pub(super) struct Queue {
    posts: Vec<Post>,
    deliveries: Load,
    controls: Load,
    /// What each channel takes. Only kept from when the whole goes beyond one share until the next drain: before that no channel can.
    shares: Option<HashMap<ChannelName, Load, NameHasher>>,
    left_out: DirtyChannels,
    dropped: Dropped,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            posts: Vec::new(),
            deliveries: Load::default(),
            controls: Load::default(),
            shares: None,
            left_out: DirtyChannels::Of(HashSet::default()),
            dropped: Dropped::default(),
        }
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.posts.is_empty() && self.left_out.is_empty()
    }

    pub(super) fn stats(&self) -> MailboxStats {
        let Load { entries, bytes } = self.deliveries;
        MailboxStats { entries, bytes, controls: self.controls.entries, dropped: self.dropped }
    }

    // NL-4.1
    /// Queues a delivery, or marks its channel dirty.
    pub(super) fn deliver(&mut self, room: Room, channel: &ChannelName, delivery: Delivery) {
        if self.left_out.covers(channel) {
            self.dropped.dirty += 1;
            return;
        }
        let new = Load::one(delivery_size(&delivery));
        if !self.deliveries.is_zero() && !self.deliveries.plus(new).fits(room.whole) {
            self.dropped.full += 1;
            return self.left_out.add(channel, room.dirty);
        }
        if !self.claim_share(room, channel, new) {
            self.dropped.share += 1;
            return self.left_out.add(channel, room.dirty);
        }
        self.deliveries = self.deliveries.plus(new);
        self.posts.push(Post::Delivery(channel.clone(), delivery));
    }

    /// Queues a control post; false if there is no room for it.
    pub(super) fn post(&mut self, room: Room, post: Post) -> bool {
        let post = match post {
            Post::Delivery(channel, delivery) => {
                self.deliver(room, &channel, delivery);
                return true;
            }
            Post::Dirty(channel) => {
                self.left_out.add(&channel, room.dirty);
                return true;
            }
            Post::AllDirty => {
                self.left_out = DirtyChannels::OfMany;
                return true;
            }
            // Its stream is read anyway.
            Post::Top(channel, ..) if self.left_out.covers(&channel) => return true,
            control @ (Post::Top(..)
            | Post::RegisterAgain
            | Post::CheckRevocations
            | Post::RegisterConnections
            | Post::Command(..)
            | Post::Survey(_)
            | Post::Drain(_)) => control,
        };
        let after = self.controls.plus(Load::one(control_size(&post)));
        if !self.controls.is_zero() && !after.fits(room.controls) {
            if let Post::Top(channel, ..) = &post {
                self.left_out.add(channel, room.dirty);
                return true;
            }
            self.dropped.control += 1;
            return false;
        }
        self.controls = after;
        self.posts.push(post);
        true
    }

    /// Hands out everything; false if there is nothing.
    pub(super) fn take(&mut self, into: &mut Vec<Post>) -> bool {
        if self.is_empty() {
            return false;
        }
        std::mem::swap(&mut self.posts, into);
        self.left_out.hand_out(into);
        (self.deliveries, self.controls, self.shares) = (Load::default(), Load::default(), None);
        true
    }

    /// Adds to what the channel takes, unless that is more than its share.
    fn claim_share(&mut self, room: Room, channel: &ChannelName, new: Load) -> bool {
        if self.shares.is_none() && self.deliveries.plus(new).fits(room.share) {
            return true;
        }
        let shares = self.shares.get_or_insert_with(|| count(&self.posts));
        let Some(share) = shares.get_mut(channel) else {
            shares.insert(channel.clone(), new);
            return true;
        };
        let after = share.plus(new);
        let fits = after.fits(room.share);
        if fits {
            *share = after;
        }
        fits
    }
}

fn count(posts: &[Post]) -> HashMap<ChannelName, Load, NameHasher> {
    let mut shares: HashMap<ChannelName, Load, NameHasher> = HashMap::default();
    for post in posts {
        if let Post::Delivery(channel, delivery) = post {
            let share = shares.entry(channel.clone()).or_default();
            *share = share.plus(Load::one(delivery_size(delivery)));
        }
    }
    shares
}

fn delivery_size(delivery: &Delivery) -> usize {
    let content = match delivery {
        Delivery::Publication(publication) => publication.size(),
        Delivery::Announcement(Announcement::Join(info) | Announcement::Leave(info)) => info.size(),
    };
    size_of::<Post>() + content
}

fn control_size(post: &Post) -> usize {
    let content = match post {
        Post::Command(_, ServerCommand::Message(data), _) => data.get().len(),
        Post::Command(_, ServerCommand::Disconnect { reason, .. }, _) => reason.len(),
        _ => 0,
    };
    size_of::<Post>() + content
}
