//! The subscriptions to channels with `lifecycle` that are in the registry, or that the hub has to add to it.

use super::queues::registry_queue::{AfterRegistration, CHUNK};
use crate::{broker::RegistryKey, hub::keys::ConnKey};
use gateway_core::model::{ChannelName, ConnectionId};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
};

/// How far a subscription has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The hub has not begun to write its entry.
    Queued,
    /// Its entry is in the registry, or is being written. Services do not know the subscription.
    Written,
    /// Services know the subscription.
    Reported,
}

/// What has to happen when a subscription ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisteredEnd {
    /// The registry has no entry of it.
    Unregistered,
    /// Services do not know it, so they need no event.
    Unreported,
    /// Services know it by this key. The entry stays until they know the end.
    Reported(RegistryKey),
}

/// The number and the stage of each subscription.
type Entries = HashMap<(ConnectionId, ChannelName), (u64, Stage), foldhash::quality::RandomState>;

/// A subscription to add, its connection, and what follows.
type ToAdd = (ConnKey, RegistryKey, AfterRegistration);

/// One entry for each live subscription to a channel with `lifecycle`.
#[derive(Default)]
pub(crate) struct SubscriptionRegistry {
    pub(crate) is_enabled: Cell<bool>,
    entries: RefCell<Entries>,
    /// By their numbers, which grow: oldest first. Each is in `entries`, so there is one for each live subscription at most.
    to_add: RefCell<BTreeMap<u64, ToAdd>>,
}

impl SubscriptionRegistry {
    /// Begins to add a subscription. Its connection gets a notice when the entry is written.
    pub(crate) fn begin(&self, key: ConnKey, connection: ConnectionId, channel: &ChannelName, number: u64) {
        self.insert(key, connection, channel, (number, Stage::Queued), AfterRegistration::Notify);
    }

    /// Begins to add a subscription that services know already.
    pub(crate) fn begin_reported(&self, key: ConnKey, connection: ConnectionId, channel: &ChannelName, number: u64) {
        let known = self.entries.borrow().get(&(connection, channel.clone())).copied();
        self.insert(key, connection, channel, known.unwrap_or((number, Stage::Reported)), AfterRegistration::Nothing);
    }

    fn insert(&self, key: ConnKey, connection: ConnectionId, channel: &ChannelName, entry: (u64, Stage), after: AfterRegistration) {
        let mut to_add = self.to_add.borrow_mut();
        if let Some((earlier, _)) = self.entries.borrow_mut().insert((connection, channel.clone()), entry)
            && earlier != entry.0
        {
            to_add.remove(&earlier);
        }
        let registered = RegistryKey::Subscription { connection, number: entry.0, channel: channel.clone() };
        // A notice that is requested stays requested.
        to_add.entry(entry.0).or_insert((key, registered, after));
    }

    /// Forgets what was to be added again, before all of it is to be added again.
    pub(crate) fn clear_repeats(&self) {
        self.to_add.borrow_mut().retain(|_, (_, _, after)| *after == AfterRegistration::Notify);
    }

    /// The number of a subscription that is in the registry or will be.
    pub(crate) fn number(&self, connection: ConnectionId, channel: &ChannelName) -> Option<u64> {
        self.entries.borrow().get(&(connection, channel.clone())).map(|(number, _)| *number)
    }

    /// Whether services get to know a subscription once its entry is written.
    pub(crate) fn is_unreported(&self, connection: ConnectionId, channel: &ChannelName) -> bool {
        matches!(self.entries.borrow().get(&(connection, channel.clone())), Some((_, Stage::Queued | Stage::Written)))
    }

    /// Some subscriptions to add.
    pub(crate) fn next_to_add(&self) -> Vec<ToAdd> {
        let (mut to_add, mut entries, mut group) = (self.to_add.borrow_mut(), self.entries.borrow_mut(), Vec::new());
        while group.len() < CHUNK
            && let Some((_, next)) = to_add.pop_first()
        {
            if let RegistryKey::Subscription { connection, channel, .. } = &next.1
                && let Some((_, stage @ Stage::Queued)) = entries.get_mut(&(*connection, channel.clone()))
            {
                *stage = Stage::Written;
            }
            group.push(next);
        }
        group
    }

    /// Records that services get to know a subscription now. Returns whether it still lasts.
    pub(crate) fn report(&self, connection: ConnectionId, channel: &ChannelName) -> bool {
        match self.entries.borrow_mut().get_mut(&(connection, channel.clone())) {
            Some((_, stage @ Stage::Written)) => {
                *stage = Stage::Reported;
                true
            }
            _ => false,
        }
    }

    /// Ends a subscription. The second value is the key of an entry to remove at once.
    pub(crate) fn end(&self, connection: ConnectionId, channel: &ChannelName) -> (RegisteredEnd, Option<RegistryKey>) {
        let Some((number, stage)) = self.entries.borrow_mut().remove(&(connection, channel.clone())) else {
            return (RegisteredEnd::Unregistered, None);
        };
        self.to_add.borrow_mut().remove(&number);
        let key = RegistryKey::Subscription { connection, number, channel: channel.clone() };
        match stage {
            Stage::Queued => (RegisteredEnd::Unreported, None),
            Stage::Written => (RegisteredEnd::Unreported, Some(key)),
            Stage::Reported => (RegisteredEnd::Reported(key), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ConnKey = ConnKey { index: 1, generation: 1 };

    fn channel() -> ChannelName {
        "c:a".parse().expect("valid")
    }

    fn entry(connection: ConnectionId, number: u64) -> RegistryKey {
        RegistryKey::Subscription { connection, number, channel: channel() }
    }

    #[test]
    fn services_learn_of_a_subscription_after_its_entry_is_written() {
        let (registry, id) = (SubscriptionRegistry::default(), ConnectionId::random());
        registry.begin(KEY, id, &channel(), 7);
        assert!(!registry.report(id, &channel()), "nothing is written");
        assert_eq!(registry.next_to_add(), [(KEY, entry(id, 7), AfterRegistration::Notify)]);
        assert!(registry.report(id, &channel()) && !registry.report(id, &channel()), "once");
        assert_eq!(registry.end(id, &channel()), (RegisteredEnd::Reported(entry(id, 7)), None));
        assert_eq!(registry.end(id, &channel()), (RegisteredEnd::Unregistered, None));
    }

    #[test]
    fn a_subscription_that_ends_before_services_know_it_needs_no_event() {
        let (registry, id) = (SubscriptionRegistry::default(), ConnectionId::random());
        registry.begin(KEY, id, &channel(), 7);
        assert_eq!(registry.end(id, &channel()), (RegisteredEnd::Unreported, None));
        registry.begin(KEY, id, &channel(), 8);
        assert_eq!(registry.next_to_add(), [(KEY, entry(id, 8), AfterRegistration::Notify)], "the first one is not written");
        assert_eq!(registry.end(id, &channel()), (RegisteredEnd::Unreported, Some(entry(id, 8))));
        assert!(!registry.report(id, &channel()));
    }

    #[test]
    fn subscriptions_are_added_again_with_their_numbers() {
        let (registry, id) = (SubscriptionRegistry::default(), ConnectionId::random());
        registry.begin_reported(KEY, id, &channel(), 7);
        registry.clear_repeats();
        registry.begin_reported(KEY, id, &channel(), 9);
        assert_eq!(registry.number(id, &channel()), Some(7));
        assert_eq!(registry.next_to_add(), [(KEY, entry(id, 7), AfterRegistration::Nothing)]);
        assert_eq!(registry.end(id, &channel()).0, RegisteredEnd::Reported(entry(id, 7)));
    }

    #[test]
    fn subscriptions_that_end_before_they_are_added_keep_no_place() {
        let (registry, id) = (SubscriptionRegistry::default(), ConnectionId::random());
        for number in 0..1000 {
            registry.begin(KEY, id, &channel(), number);
            registry.end(id, &channel());
        }
        assert_eq!(registry.to_add.borrow().len(), 0);
    }

    #[test]
    fn a_subscription_that_is_added_again_before_it_is_written_has_one_entry_and_its_notice() {
        let (registry, id) = (SubscriptionRegistry::default(), ConnectionId::random());
        registry.begin(KEY, id, &channel(), 7);
        registry.begin_reported(KEY, id, &channel(), 9);
        assert_eq!(registry.next_to_add(), [(KEY, entry(id, 7), AfterRegistration::Notify)]);
    }
}
