//! Detects that the gateway lost histories, and makes the lost deliveries pending again. A gateway with a memory broker loses its histories
//! when it is killed.

use crate::notification::{Millis, Target};
use crate::outbox::{Outbox, StoreError};
use shared_proto::client::Failure;
use shared_proto::client::rest::Gateway;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Time between two requests for the list of nodes.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Number of checks after a change of the nodes. The first one can miss deliveries to a killed node that are not recorded yet.
const CHECKS_AFTER_CHANGE: u32 = 2;
/// Users that are read from the outbox at a time.
const PAGE: usize = 100;

/// Watches the nodes of the gateway. When a node is new or has restarted, it checks the channels of all users.
pub struct HistoryWatch {
    outbox: Outbox,
    gateway: Arc<Gateway>,
    retention: Duration,
}

/// Why a check was not finished.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error("{0}")]
    Gateway(#[from] Failure),
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl HistoryWatch {
    /// Checks deliveries that are not older than `retention`: how long the gateway keeps the history of a personal channel.
    pub fn new(outbox: Outbox, gateway: Arc<Gateway>, retention: Duration) -> Self {
        Self { outbox, gateway, retention }
    }

    /// Runs until the future is dropped. The first list of nodes counts as a change, because the gateway may have been killed before this
    /// process started.
    pub async fn run(self) {
        let (mut known, mut checks_left) = (Vec::new(), 0);
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Without an answer nothing is known about the nodes. The next poll asks again.
            let Ok(found) = self.gateway.nodes().await else { continue };
            let mut nodes: Vec<_> = found.nodes.into_iter().map(|node| (node.name, node.since)).collect();
            nodes.sort_unstable();
            if nodes != known {
                (known, checks_left) = (nodes, CHECKS_AFTER_CHANGE);
            }
            if checks_left > 0 {
                match self.check_all().await {
                    Ok(()) => checks_left -= 1,
                    Err(cause) => tracing::info!(%cause, "a check of the gateway's histories failed and is repeated"),
                }
            }
        }
    }

    /// Checks the channel of each user with a delivery within the retention.
    async fn check_all(&self) -> Result<(), CheckError> {
        let since = Millis::now().minus(self.retention);
        let mut last = None;
        loop {
            let users = self.outbox.users_with_deliveries(last, since, PAGE).await?;
            for user in &users {
                self.check(user, since).await?;
            }
            last = users.last().cloned();
            if last.is_none() {
                return Ok(());
            }
        }
    }

    /// If the channel has a new epoch, everything that was delivered in the earlier one is lost and becomes pending again.
    async fn check(&self, user: &str, since: Millis) -> Result<(), CheckError> {
        let target = Target::User(user.to_owned());
        let epoch = match self.gateway.channel(&target.channel()).await {
            Ok(channel) => channel.position.map(|position| position.epoch),
            Err(Failure::Refused { .. }) => None,
            Err(failure) => return Err(failure.into()),
        };
        let Some(epoch) = epoch else { return Ok(()) };
        let lost = self.outbox.requeue_lost(target, epoch, since).await?;
        if lost > 0 {
            tracing::warn!(user, lost, "the gateway lost the history of this user; the deliveries are repeated");
        }
        Ok(())
    }
}
