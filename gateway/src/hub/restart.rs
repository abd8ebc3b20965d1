//! Subscriptions whose connections have to be told that they begin anew, one after the other: what comes of that is work for this node, and
//! for the store where presence is kept.

use super::{ConnKey, Hub, Notice, SlotKey, slot::Role};
use crate::model::ChannelName;
use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};
use tokio::sync::Notify;

/// Parts of a second over which restarts are spread.
const PARTS: usize = 100;

/// A subscription that gets nothing any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restart {
    /// The connection's index.
    pub(super) connection: u32,
    pub(super) slot: SlotKey,
    /// That of the slot.
    pub(super) life: u32,
}

/// Those that wait to be told: each subscription once at most, which bounds the queue.
#[derive(Default)]
pub(super) struct Restarts {
    queue: RefCell<VecDeque<Restart>>,
    changed: Notify,
}

impl Restarts {
    pub(super) fn extend(&self, restarts: impl IntoIterator<Item = Restart>) {
        self.queue.borrow_mut().extend(restarts);
        self.changed.notify_one();
    }

    fn next(&self) -> Option<Restart> {
        self.queue.borrow_mut().pop_front()
    }
}

impl Hub {
    /// Tells connections at the pace of the limits, for good.
    pub(super) async fn restart_all(self: Rc<Self>) {
        let rate = self.parts.limits.restarts.max(1);
        let part = (rate / PARTS).max(1);
        loop {
            let mut told = 0;
            while told < part
                && let Some(next) = self.restarts.next()
            {
                told += usize::from(self.restart(next));
            }
            if told > 0 {
                tokio::time::sleep(Duration::from_secs_f64(told as f64 / rate as f64)).await;
            } else {
                self.restarts.queue.borrow_mut().shrink_to(PARTS);
                self.restarts.changed.notified().await;
            }
        }
    }

    /// Tells one connection. False if its subscription is gone by now.
    pub(super) fn restart(&self, Restart { connection, slot: key, life }: Restart) -> bool {
        let told = {
            let mut state = self.state.borrow_mut();
            let generation = state.connections.get(connection as usize).map(|entry| entry.generation);
            let member = generation.and_then(|generation| state.member(ConnKey { index: connection, generation }, key));
            let ended = member.is_some_and(|member| member.role == Role::Ended);
            let channel: Option<ChannelName> = state.slot(key).filter(|slot| ended && slot.life == life).map(|slot| slot.name.clone());
            channel.zip(state.connections.get(connection as usize).map(|entry| entry.outbox.clone()))
        };
        let Some((channel, outbox)) = told else { return false };
        outbox.notify(Notice::Lost(channel));
        true
    }
}
