//! Subscriptions whose connections have to be told that they begin anew, one after the other: what comes of that is work for this node, and
//! for the store where presence is kept.
//!
//! Whoever is told comes back at once, so for a while longer the slot stays, and remembers what they lack.

use super::{ConnKey, Hub, Notice, SlotKey, slot::Role};
use gateway_core::model::{ChannelName, Tick};
use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

/// Parts of a second over which restarts are spread.
const PARTS: usize = 100;
/// For a client that was told to subscribe again.
const RETURN: Duration = Duration::from_secs(5);

/// A subscription that gets nothing any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restart {
    /// The connection's index.
    pub(super) connection: u32,
    pub(super) slot: SlotKey,
    /// That of the slot.
    pub(super) life: u32,
}

/// Each subscription that has ended is in one of these, once: that bounds them, and [`super::slot::Slot::ended`] counts them.
#[derive(Default)]
pub(super) struct Restarts {
    waiting: RefCell<VecDeque<Restart>>,
    /// Those that were told, and until when they are expected back.
    told: RefCell<VecDeque<(Tick, Restart)>>,
    changed: Notify,
}

impl Restarts {
    pub(super) fn extend(&self, restarts: impl IntoIterator<Item = Restart>) {
        self.waiting.borrow_mut().extend(restarts);
        self.changed.notify_one();
    }

    fn next(&self) -> Option<Restart> {
        self.waiting.borrow_mut().pop_front()
    }

    fn next_back(&self, now: Tick) -> Option<Restart> {
        self.told.borrow_mut().pop_front_if(|(until, _)| *until <= now).map(|(_, restart)| restart)
    }
}

impl Hub {
    /// Tells connections at the pace of the limits, for good.
    pub(super) async fn restart_all(self: Rc<Self>) {
        let rate = self.parts.limits.restarts.max(1);
        let part = (rate / PARTS).max(1);
        loop {
            let now = self.now();
            while let Some(back) = self.restarts.next_back(now) {
                self.expect_no_longer(back);
            }
            let mut told = 0;
            while told < part
                && let Some(next) = self.restarts.next()
            {
                told += usize::from(self.restart(next));
            }
            let expected = self.restarts.told.borrow().front().map(|(until, _)| until.since(now));
            match expected {
                _ if told > 0 => sleep(Duration::from_secs_f64(told as f64 / rate as f64)).await,
                Some(left) => _ = timeout(left, self.restarts.changed.notified()).await,
                None => {
                    self.restarts.waiting.borrow_mut().shrink_to(PARTS);
                    self.restarts.told.borrow_mut().shrink_to(PARTS);
                    self.restarts.changed.notified().await;
                }
            }
        }
    }

    /// Tells one connection. False if its subscription is gone by now.
    pub(super) fn restart(&self, restart: Restart) -> bool {
        let Restart { connection, slot: key, life } = restart;
        self.restarts.told.borrow_mut().push_back((self.now().after(RETURN), restart));
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

    /// It has come back, or will not.
    fn expect_no_longer(&self, Restart { slot: key, life, .. }: Restart) {
        let vacated = {
            let mut state = self.state.borrow_mut();
            let Some(slot) = state.slot(key).filter(|slot| slot.life == life) else { return };
            slot.ended -= 1;
            slot.forget();
            self.vacate(&mut state, key)
        };
        if let Some(channel) = vacated {
            self.parts.broker.unsubscribe(&channel, self.parts.worker);
        }
    }
}
