//! Reads of the stream that close a gap of a channel on this worker.

use crate::{
    broker::BrokerError,
    hub::{hub::Hub, keys::SlotKey},
    telemetry::{Count, FailureLog, OpenTask},
};
use gateway_core::{
    channel::feed::{Next, PAUSE},
    model::{Age, ChannelName, Page},
};
use std::rc::Rc;
use tokio::{task::spawn_local, time::sleep};

/// Deliveries of one channel that may wait for the fan-out before more is read.
const AHEAD: usize = 512;

impl Hub {
    /// Begins to read a channel's stream after the position of its feed, until that is live again.
    pub(crate) fn begin_backfill(self: &Rc<Self>, slot: SlotKey, age: Age) {
        self.parts.metrics.count(Count::Backfills, 1);
        spawn_local(self.clone().backfill(slot, age));
    }

    // NL-4.7
    async fn backfill(self: Rc<Self>, key: SlotKey, mut age: Age) {
        let _task = OpenTask::new(&self.parts.metrics);
        let Some((channel, life)) = self.state.borrow_mut().slot(key).map(|slot| (slot.name.clone(), slot.life)) else { return };
        let mut failures = FailureLog::default();
        loop {
            while self.waiting(key) > AHEAD {
                self.served.notified().await;
            }
            let Some(read) = self.read(&channel, key, age).await else { return };
            let mut next = match read {
                Ok(page) => self.caught(key, life, page),
                Err(error) => {
                    failures.failed(|| tracing::warn!(%channel, %error, "a gap cannot be read yet; the worker tries until it can"));
                    sleep(self.retry()).await;
                    continue;
                }
            };
            while next == Some(Next::Rest) {
                sleep(PAUSE).await;
                next = self.rested(key, life);
            }
            match next {
                Some(Next::Read(_, next)) => age = next,
                Some(Next::Rest | Next::Live) | None => return,
            }
        }
    }

    /// None if the channel is gone here, or keeps nothing.
    async fn read(&self, channel: &ChannelName, key: SlotKey, age: Age) -> Option<Result<Page, BrokerError>> {
        let after = self.state.borrow_mut().slot(key)?.feed.position()?;
        let retention = self.parts.namespaces.options(channel)?.retention?;
        Some(self.parts.reads.backfill(channel, retention, after, self.parts.limits.page, age).await)
    }

    fn rested(&self, key: SlotKey, life: u32) -> Option<Next> {
        let now = self.now();
        self.state.borrow_mut().slot(key).filter(|slot| slot.life == life).map(|slot| slot.feed.rested(now))
    }

    fn waiting(&self, key: SlotKey) -> usize {
        self.state.borrow_mut().slot(key).map_or(0, |slot| slot.pending.len())
    }
}
