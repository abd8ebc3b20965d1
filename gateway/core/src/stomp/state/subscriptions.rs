//! The subscriptions of a STOMP connection. Most connections are idle and have few, so the table is kept small: the ids and destinations are
//! only in the forms by which deliveries are written.

use crate::{
    model::ChannelName,
    protocol::stomp::{Framing, MessageForm, MessageSubscription, Version},
};
use std::sync::Arc;

/// The subscriptions to one channel. The session has one subscription for all of them.
#[derive(Debug)]
pub(crate) struct Group {
    /// The channel. `None`: the subscriptions take only messages that belong to no channel.
    pub(crate) channel: Option<ChannelName>,
    pub(crate) form: Arc<MessageForm>,
    /// Whether the channel has a history, so that its subscriptions have positions.
    pub(crate) has_history: bool,
    /// The ids of those that get a notice when publications were lost.
    notified: Box<[Box<str>]>,
}

impl Group {
    /// Whether a subscription gets a notice when publications were lost.
    pub(crate) fn tells(&self, id: &str) -> bool {
        self.notified.iter().any(|each| **each == *id)
    }

    /// The subscription with this id.
    pub(crate) fn get(&self, id: &str) -> Option<&MessageSubscription> {
        self.form.subscriptions.iter().find(|it| *it.id == *id)
    }
}

/// What a new subscription is part of.
#[derive(Debug)]
pub(crate) enum Added {
    /// It is the first to the channel.
    First(Arc<MessageForm>),
    /// The channel's deliveries are written in this form from now on.
    Further(Arc<MessageForm>),
}

/// What is left of the group after a subscription was removed.
#[derive(Debug)]
pub(crate) struct Removed {
    pub(crate) channel: Option<ChannelName>,
    /// `None`: it was the last of the channel.
    pub(crate) form: Option<Arc<MessageForm>>,
}

/// All subscriptions of a connection.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Vec<Group>);

impl Subscriptions {
    /// The number of subscriptions.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|group| group.form.subscriptions.len()).sum()
    }

    /// The number of those that get the same messages of a channel.
    pub(crate) fn alike(&self, channel: Option<&str>, queue: Option<&str>) -> usize {
        self.group(channel).map_or(0, |group| group.form.subscriptions.iter().filter(|it| it.queue.as_deref() == queue).count())
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.0.iter().any(|group| group.get(id).is_some())
    }

    /// The subscriptions to a channel.
    pub(crate) fn group(&self, channel: Option<&str>) -> Option<&Group> {
        self.0.iter().find(|group| group.channel.as_deref() == channel)
    }

    /// All subscriptions to a queue of the user.
    pub(crate) fn of_queue<'a>(&'a self, queue: &'a str) -> impl Iterator<Item = &'a MessageSubscription> {
        self.0.iter().flat_map(|group| group.form.subscriptions.iter()).filter(move |it| it.queue.as_deref() == Some(queue))
    }

    /// Adds a subscription whose id is new. `notified`: it gets a notice when publications were lost.
    pub(crate) fn add(
        &mut self,
        channel: Option<ChannelName>,
        subscription: MessageSubscription,
        notified: bool,
        (version, framing): (Version, Framing),
    ) -> Added {
        let id = notified.then(|| subscription.id.clone());
        if let Some(group) = self.0.iter_mut().find(|group| group.channel == channel) {
            let subscriptions = group.form.subscriptions.iter().cloned().chain([subscription]).collect();
            group.form = Arc::new(MessageForm { version, framing, subscriptions });
            group.notified = group.notified.iter().cloned().chain(id).collect();
            return Added::Further(group.form.clone());
        }
        let form = Arc::new(MessageForm { version, framing, subscriptions: [subscription].into() });
        self.0.reserve_exact(1);
        self.0.push(Group { channel, form: form.clone(), has_history: false, notified: id.into_iter().collect() });
        Added::First(form)
    }

    /// The session's subscription to a channel began.
    pub(crate) fn begun(&mut self, channel: &str, has_history: bool) {
        if let Some(group) = self.0.iter_mut().find(|group| group.channel.as_deref() == Some(channel)) {
            group.has_history = has_history;
        }
    }

    /// Sets the offset up to which each subscription to a channel has everything, by its id. Returns the new form.
    pub(crate) fn set_after(&mut self, channel: &str, after: impl Fn(&str) -> Option<u64>) -> Option<Arc<MessageForm>> {
        let group = self.0.iter_mut().find(|group| group.channel.as_deref() == Some(channel))?;
        let changed = |it: &MessageSubscription| MessageSubscription { after: after(&it.id), ..it.clone() };
        let subscriptions = group.form.subscriptions.iter().map(changed).collect();
        group.form = Arc::new(MessageForm { subscriptions, ..(*group.form).clone() });
        Some(group.form.clone())
    }

    /// Removes a subscription. `None`: there is none with this id.
    pub(crate) fn remove(&mut self, id: &str) -> Option<Removed> {
        let at = self.0.iter().position(|group| group.get(id).is_some())?;
        let group = self.0.get_mut(at)?;
        if group.form.subscriptions.len() == 1 {
            let Group { channel, .. } = self.0.swap_remove(at);
            self.0.shrink_to(self.0.len() * 2);
            return Some(Removed { channel, form: None });
        }
        let subscriptions = group.form.subscriptions.iter().filter(|it| *it.id != *id).cloned().collect();
        group.form = Arc::new(MessageForm { version: group.form.version, framing: group.form.framing, subscriptions });
        group.notified = group.notified.iter().filter(|each| ***each != *id).cloned().collect();
        Some(Removed { channel: group.channel.clone(), form: Some(group.form.clone()) })
    }

    /// Memory of an entry of the table, in bytes.
    #[cfg(test)]
    pub(crate) fn group_size() -> usize {
        size_of::<Group>()
    }

    /// Bytes that the table holds in reserve.
    #[cfg(test)]
    pub(crate) fn spare(&self) -> usize {
        (self.0.capacity() - self.0.len()) * size_of::<Group>()
    }

    /// The id of the subscription that an UNSUBSCRIBE of STOMP 1.0 names by its destination.
    pub(crate) fn id_of_destination(&self, destination: &str) -> Option<Box<str>> {
        let mut all = self.0.iter().flat_map(|group| group.form.subscriptions.iter());
        all.find(|it| *it.destination == *destination).map(|it| it.id.clone())
    }
}
