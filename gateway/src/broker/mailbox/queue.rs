//! The data of a mailbox. The mailbox uses it under its lock.

use super::{
    entry::{Delivery, MailboxEntry},
    stats::{Dropped, MailboxStats},
};
use crate::broker::{NameHasher, types::Announcement};
use gateway_core::model::{ChannelName, ServerCommand};
use std::collections::{HashMap, HashSet};

/// Number and size of entries.
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

/// The capacity of a mailbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    total: Load,
    per_channel: Load,
    controls: Load,
    dirty: usize,
}

impl Capacity {
    /// The limit of control entries is at least this number.
    const CONTROLS_MIN: usize = 64;

    pub(super) fn new(entries: usize, bytes: usize) -> Self {
        let per_channel = Load { entries: entries / 4, bytes: bytes / 4 };
        let controls = Load { entries: per_channel.entries.max(Self::CONTROLS_MIN), bytes: per_channel.bytes };
        Self { total: Load { entries, bytes }, per_channel, controls, dirty: entries }
    }
}

/// Channels with deliveries that were dropped since the worker last took the entries.
#[derive(Debug)]
enum DirtyChannels {
    Of(HashSet<ChannelName, NameHasher>),
    /// More channels than the mailbox can name.
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

    fn hand_out(&mut self, into: &mut Vec<MailboxEntry>) {
        match self {
            Self::Of(channels) => into.extend(channels.drain().map(MailboxEntry::Dirty)),
            Self::OfMany => {
                into.push(MailboxEntry::AllDirty);
                *self = Self::Of(HashSet::default());
            }
        }
    }
}

/// Entries in their order, and the channels with dropped deliveries.
#[derive(Debug)]
pub(super) struct Queue {
    entries: Vec<MailboxEntry>,
    deliveries: Load,
    controls: Load,
    /// The load of each channel. Counted only from the moment at which the total exceeds the limit of one channel, because no channel can
    /// exceed it before that. A take resets it to None.
    loads: Option<HashMap<ChannelName, Load, NameHasher>>,
    dirty: DirtyChannels,
    dropped: Dropped,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            deliveries: Load::default(),
            controls: Load::default(),
            loads: None,
            dirty: DirtyChannels::Of(HashSet::default()),
            dropped: Dropped::default(),
        }
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.dirty.is_empty()
    }

    pub(super) fn stats(&self) -> MailboxStats {
        let Load { entries, bytes } = self.deliveries;
        MailboxStats { entries, bytes, controls: self.controls.entries, dropped: self.dropped }
    }

    // NL-4.1
    /// Queues a delivery, or marks its channel as dirty if the delivery does not fit.
    pub(super) fn deliver(&mut self, capacity: Capacity, channel: &ChannelName, delivery: Delivery) {
        if self.dirty.covers(channel) {
            self.dropped.dirty += 1;
            return;
        }
        let new = Load::one(delivery_size(&delivery));
        if !self.deliveries.is_zero() && !self.deliveries.plus(new).fits(capacity.total) {
            self.dropped.full += 1;
            return self.dirty.add(channel, capacity.dirty);
        }
        if !self.add_load(capacity, channel, new) {
            self.dropped.channel_full += 1;
            return self.dirty.add(channel, capacity.dirty);
        }
        self.deliveries = self.deliveries.plus(new);
        self.entries.push(MailboxEntry::Delivery(channel.clone(), delivery));
    }

    /// Queues any entry. Returns false if a control entry does not fit.
    pub(super) fn post(&mut self, capacity: Capacity, entry: MailboxEntry) -> bool {
        let entry = match entry {
            MailboxEntry::Delivery(channel, delivery) => {
                self.deliver(capacity, &channel, delivery);
                return true;
            }
            MailboxEntry::Dirty(channel) => {
                self.dirty.add(&channel, capacity.dirty);
                return true;
            }
            MailboxEntry::AllDirty => {
                self.dirty = DirtyChannels::OfMany;
                return true;
            }
            // The worker reads the stream of a dirty channel anyway.
            MailboxEntry::Top(channel, ..) if self.dirty.covers(&channel) => return true,
            control @ (MailboxEntry::Top(..)
            | MailboxEntry::RegisterAgain
            | MailboxEntry::CheckRevocations
            | MailboxEntry::RegisterConnections
            | MailboxEntry::RegisterSubscriptions
            | MailboxEntry::Command(..)
            | MailboxEntry::Query(_)
            | MailboxEntry::Post(..)
            | MailboxEntry::Drain(_)) => control,
        };
        let after = self.controls.plus(Load::one(control_size(&entry)));
        if !self.controls.is_zero() && !after.fits(capacity.controls) {
            if let MailboxEntry::Top(channel, ..) = &entry {
                self.dirty.add(channel, capacity.dirty);
                return true;
            }
            self.dropped.control += 1;
            return false;
        }
        self.controls = after;
        self.entries.push(entry);
        true
    }

    /// Moves all entries to the worker. Returns false if there are none.
    pub(super) fn take(&mut self, into: &mut Vec<MailboxEntry>) -> bool {
        if self.is_empty() {
            return false;
        }
        std::mem::swap(&mut self.entries, into);
        self.dirty.hand_out(into);
        (self.deliveries, self.controls, self.loads) = (Load::default(), Load::default(), None);
        true
    }

    /// Adds `new` to the load of the channel. Returns false, and changes nothing, if that would exceed the channel's limit.
    fn add_load(&mut self, capacity: Capacity, channel: &ChannelName, new: Load) -> bool {
        if self.loads.is_none() && self.deliveries.plus(new).fits(capacity.per_channel) {
            return true;
        }
        let loads = self.loads.get_or_insert_with(|| count(&self.entries));
        let Some(load) = loads.get_mut(channel) else {
            loads.insert(channel.clone(), new);
            return true;
        };
        let after = load.plus(new);
        let fits = after.fits(capacity.per_channel);
        if fits {
            *load = after;
        }
        fits
    }
}

fn count(entries: &[MailboxEntry]) -> HashMap<ChannelName, Load, NameHasher> {
    let mut loads: HashMap<ChannelName, Load, NameHasher> = HashMap::default();
    for entry in entries {
        if let MailboxEntry::Delivery(channel, delivery) = entry {
            let load = loads.entry(channel.clone()).or_default();
            *load = load.plus(Load::one(delivery_size(delivery)));
        }
    }
    loads
}

fn delivery_size(delivery: &Delivery) -> usize {
    let content = match delivery {
        Delivery::Publication(publication) => publication.size(),
        Delivery::Announcement(Announcement::Join(info) | Announcement::Leave(info)) => info.size(),
    };
    size_of::<MailboxEntry>() + content
}

fn control_size(entry: &MailboxEntry) -> usize {
    let content = match entry {
        MailboxEntry::Command(_, ServerCommand::Message { data, queue }, _) => {
            data.get().len() + queue.as_ref().map_or(0, |queue| queue.len())
        }
        MailboxEntry::Command(_, ServerCommand::Disconnect { reason, .. }, _) => reason.len(),
        MailboxEntry::Command(_, ServerCommand::Revoke(revocation), _) => revocation.reason.len(),
        MailboxEntry::Post(_, commands, _) => commands.len(),
        _ => 0,
    };
    size_of::<MailboxEntry>() + content
}
