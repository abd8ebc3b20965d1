//! Stored subscriptions of users.

use crate::broker::{BrokerError, UserSubscription};
use gateway_core::model::{ChannelName, UserId};
use std::collections::{BTreeSet, HashMap};

/// Stored subscriptions by user, limited per user and in total. Times are seconds since 1970.
#[derive(Debug)]
pub(super) struct UserSubscriptions {
    per_user: usize,
    bound: usize,
    users: HashMap<UserId, Vec<UserSubscription>, foldhash::fast::RandomState>,
    ends: BTreeSet<(u64, UserId, ChannelName)>,
    len: usize,
}

impl UserSubscriptions {
    pub(super) fn new(per_user: usize, bound: usize) -> Self {
        Self { per_user, bound, users: HashMap::default(), ends: BTreeSet::new(), len: 0 }
    }

    /// Stores a subscription. It replaces the user's subscription to the same channel. At a limit it returns an error and changes nothing.
    pub(super) fn put(&mut self, user: &UserId, subscription: UserSubscription, now: u64) -> Result<(), BrokerError> {
        self.sweep(now);
        let own = self.users.get(user).map_or(&[][..], Vec::as_slice);
        let replaces = own.iter().any(|one| one.channel == subscription.channel);
        if !replaces && own.len() >= self.per_user {
            return Err(BrokerError::LimitExceeded("this user has the maximum number of stored subscriptions: delete one first"));
        }
        if !replaces && self.len >= self.bound {
            return Err(BrokerError::LimitExceeded(
                "this node has the maximum number of stored subscriptions: delete some, or raise subscriptions.max_total",
            ));
        }
        self.delete(user, &subscription.channel, now);
        if let Some(end) = subscription.expires_at {
            self.ends.insert((end, user.clone(), subscription.channel.clone()));
        }
        self.users.entry(user.clone()).or_default().push(subscription);
        self.len += 1;
        self.sweep(now);
        Ok(())
    }

    /// Deletes a subscription. Returns whether it existed.
    pub(super) fn delete(&mut self, user: &UserId, channel: &ChannelName, now: u64) -> bool {
        self.sweep(now);
        self.remove(user, channel)
    }

    /// The subscriptions of a user.
    pub(super) fn list(&mut self, user: &UserId, now: u64) -> Vec<UserSubscription> {
        self.sweep(now);
        self.users.get(user).cloned().unwrap_or_default()
    }

    /// Removes expired subscriptions.
    pub(super) fn sweep(&mut self, now: u64) {
        while self.ends.first().is_some_and(|(end, ..)| *end <= now) {
            if let Some((_, user, channel)) = self.ends.pop_first() {
                self.remove(&user, &channel);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn remove(&mut self, user: &UserId, channel: &ChannelName) -> bool {
        let Some(own) = self.users.get_mut(user) else { return false };
        let Some(index) = own.iter().position(|one| one.channel == *channel) else { return false };
        let removed = own.swap_remove(index);
        if own.is_empty() {
            self.users.remove(user);
        }
        if let Some(end) = removed.expires_at {
            self.ends.remove(&(end, user.clone(), removed.channel));
        }
        self.len -= 1;
        true
    }
}
