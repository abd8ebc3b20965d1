//! Reads of the stream that close a gap of a channel on this worker.

use super::{Hub, SlotKey};
use crate::{
    broker::Span,
    channel::feed::Next,
    model::ChannelName,
    telemetry::{Count, OpenTask},
};
use std::rc::Rc;

/// Deliveries of one channel that may wait for the fan-out before more is read.
const AHEAD: usize = 512;

impl Hub {
    /// Begins to read a channel's stream after this offset, until its feed is live again.
    pub(super) fn begin_backfill(self: &Rc<Self>, slot: SlotKey, after: u64) {
        self.parts.metrics.count(Count::Backfills, 1);
        actix_rt::spawn(self.clone().backfill(slot, after));
    }

    async fn backfill(self: Rc<Self>, key: SlotKey, mut after: u64) {
        let _task = OpenTask::new(&self.parts.metrics);
        let Some((channel, life)) = self.state.borrow_mut().slot(key).map(|slot| (slot.name.clone(), slot.life)) else { return };
        loop {
            let Ok(_permit) = self.backfills.acquire().await else { return };
            while self.waiting(key) > AHEAD {
                self.served.notified().await;
            }
            let Some(retention) = self.retention(&channel) else { return };
            match self.parts.broker.read(&channel, retention, Span::After(after), self.parts.limits.page).await {
                Ok(page) => match self.caught(key, life, page) {
                    Some(Next::Read(next)) => after = next,
                    Some(Next::Live) | None => return,
                },
                Err(error) => {
                    tracing::warn!(%channel, %error, "a gap cannot be read yet");
                    tokio::time::sleep(self.retry()).await;
                }
            }
        }
    }

    fn waiting(&self, key: SlotKey) -> usize {
        self.state.borrow_mut().slot(key).map_or(0, |slot| slot.pending.len())
    }

    fn retention(&self, channel: &ChannelName) -> Option<crate::broker::Retention> {
        self.parts.namespaces.options(channel).and_then(|options| options.retention)
    }
}
