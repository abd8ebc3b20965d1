//! What a session has under way: operations in flight, and commands that wait for them.

use super::{OpId, subscriptions::Origin};
use crate::{
    model::ChannelName,
    protocol::{Command, Request, SubscribeRequest},
};
use std::collections::VecDeque;

/// An operation in flight.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) op: OpId,
    /// The command to be answered; 0 for none.
    pub(super) command: u32,
    /// Whose commands wait for it.
    pub(super) channel: Option<ChannelName>,
    pub(super) purpose: Purpose,
}

/// What is to be done with the outcome of an operation.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Answer the command.
    Answer,
    /// Attach next, as the frontend asked.
    Authorize(Box<SubscribeRequest>),
    /// Answer the subscribe, or tell of what the server subscribed to.
    Attach {
        origin: Origin,
        /// Of the token, for the answer.
        ttl: Option<u32>,
        /// The frontend wants no subscription whose recovery failed.
        all_or_nothing: bool,
    },
    /// Prolong the connection.
    Refresh,
    /// Prolong the subscription.
    SubRefresh,
}

impl Purpose {
    /// Whether the frontend is being subscribed because it asked for it.
    fn is_subscribe(&self) -> bool {
        match self {
            Self::Authorize(_) => true,
            Self::Attach { origin, .. } => origin.is_frontend(),
            Self::Answer | Self::Refresh | Self::SubRefresh => false,
        }
    }
}

/// Operations in flight and waiting commands. An idle session has none.
#[derive(Debug, Default)]
pub(super) struct Work {
    flights: Vec<Flight>,
    backlog: VecDeque<Command>,
}

impl Work {
    pub(super) fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.backlog.is_empty()
    }

    /// Commands and operations that have not ended.
    pub(super) fn len(&self) -> usize {
        self.flights.len() + self.backlog.len()
    }

    pub(super) fn began(&mut self, flight: Flight) {
        self.flights.push(flight);
    }

    pub(super) fn ended(&mut self, op: OpId) -> Option<Flight> {
        let at = self.flights.iter().position(|flight| flight.op == op)?;
        Some(self.flights.swap_remove(at))
    }

    /// The subscribe of this channel that is in flight, taken out.
    pub(super) fn take_subscribe(&mut self, channel: &str) -> Option<Flight> {
        let at = self.flights.iter().position(|it| it.purpose.is_subscribe() && it.channel.as_deref() == Some(channel))?;
        Some(self.flights.swap_remove(at))
    }

    /// The attach of a server-side subscription to this channel that is in flight, taken out.
    pub(super) fn take_server_attach(&mut self, channel: &str) -> Option<Flight> {
        let is_it = |it: &Flight| matches!(it.purpose, Purpose::Attach { origin, .. } if !origin.is_frontend());
        let at = self.flights.iter().position(|it| is_it(it) && it.channel.as_deref() == Some(channel))?;
        Some(self.flights.swap_remove(at))
    }

    pub(super) fn wait(&mut self, command: Command) {
        self.backlog.push_back(command);
    }

    /// The first waiting command that may run now, with `limit` operations in flight at most.
    pub(super) fn next(&mut self, limit: usize) -> Option<Command> {
        if self.flights.len() >= limit {
            return None;
        }
        let at = self.backlog.iter().position(|command| !self.is_busy(command.request.channel()))?;
        self.backlog.remove(at)
    }

    /// Whether a waiting command decides anew whether the frontend is subscribed to this channel.
    pub(super) fn supersedes(&self, channel: &str) -> bool {
        self.backlog.iter().any(|it| it.request.settles_subscription() && it.request.channel() == Some(channel))
    }

    fn is_busy(&self, channel: Option<&str>) -> bool {
        channel.is_some() && self.flights.iter().any(|flight| flight.channel.as_deref() == channel)
    }
}

impl Request {
    /// Whether it decides if the frontend is subscribed to its channel.
    pub(super) fn settles_subscription(&self) -> bool {
        matches!(self, Self::Subscribe(_) | Self::Unsubscribe { .. })
    }
}
