//! Subscriptions whose connections have to be told that they begin anew, one after the other: what comes of that is work for this node, and
//! for the store where presence is kept.
//!
//! Whoever is told comes back at once, so for a while longer the slot stays, and remembers what they lack.

use crate::hub::{
    hub::Hub,
    keys::ConnKey,
    output::outbox::Notice,
    state::{resubscribe_queue::Resubscribe, slot::Role},
};
use gateway_core::model::ChannelName;
use std::{rc::Rc, time::Duration};
use tokio::time::{sleep, timeout};

/// Parts of a second over which restarts are spread.
const PARTS: usize = 100;
/// For a client that was told to subscribe again.
const RETURN: Duration = Duration::from_secs(5);

impl Hub {
    // NL-1.7
    /// Tells connections at the pace of the limits, for good.
    pub(crate) async fn restart_all(self: Rc<Self>) {
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
    pub(crate) fn restart(&self, restart: Resubscribe) -> bool {
        let Resubscribe { connection, slot: key, life } = restart;
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
    fn expect_no_longer(&self, Resubscribe { slot: key, life, .. }: Resubscribe) {
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
