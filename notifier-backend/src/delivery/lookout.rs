//! Looks whether the gateway still has what users were sent: one that keeps histories in its memory has not, once it was killed.

use crate::notification::{Millis, Target};
use crate::outbox::{Outbox, StoreError};
use shared_proto::client::Failure;
use shared_proto::client::rest::Gateway;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks at which nodes there are, and since when.
const LOOK: Duration = Duration::from_secs(1);
/// Rounds after a change: the answers of a node that was killed may still be on their way to the outbox during the first.
const ROUNDS: u32 = 2;
/// Users that are read from the outbox at a time.
const PAGE: usize = 100;

/// Sends again what the gateway lost.
pub struct Lookout {
    outbox: Outbox,
    gateway: Arc<Gateway>,
    life: Duration,
}

/// Why a round was not finished.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("{0}")]
    Gateway(#[from] Failure),
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Lookout {
    /// A lookout for what was delivered within `life`, which is how long the gateway keeps the history of a personal channel.
    pub fn new(outbox: Outbox, gateway: Arc<Gateway>, life: Duration) -> Self {
        Self { outbox, gateway, life }
    }

    /// Looks until it is dropped. The gateway may have been killed while nobody looked, so the first sight of it is a change too.
    pub async fn run(self) {
        let (mut known, mut rounds) = (Vec::new(), 0);
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // One that is away lost nothing yet, as far as anybody can tell.
            let Ok(found) = self.gateway.nodes().await else { continue };
            let mut nodes: Vec<_> = found.nodes.into_iter().map(|node| (node.name, node.since)).collect();
            nodes.sort_unstable();
            if nodes != known {
                (known, rounds) = (nodes, ROUNDS);
            }
            if rounds > 0 {
                match self.round().await {
                    Ok(()) => rounds -= 1,
                    Err(cause) => tracing::info!(%cause, "a look at what the gateway has broke off"),
                }
            }
        }
    }

    /// Looks at the channel of each user who was sent something lately.
    async fn round(&self) -> Result<(), Cut> {
        let since = Millis::now().minus(self.life);
        let mut last = None;
        loop {
            let users = self.outbox.delivered_to(last, since, PAGE).await?;
            for user in &users {
                self.look(user, since).await?;
            }
            last = users.last().cloned();
            if last.is_none() {
                return Ok(());
            }
        }
    }

    /// A channel of another epoch has nothing of what was delivered under the one before.
    async fn look(&self, user: &str, since: Millis) -> Result<(), Cut> {
        let target = Target::User(user.to_owned());
        let epoch = match self.gateway.channel(&target.channel()).await {
            Ok(channel) => channel.position.map(|position| position.epoch),
            Err(Failure::Refused { .. }) => None,
            Err(failure) => return Err(failure.into()),
        };
        let Some(epoch) = epoch else { return Ok(()) };
        let lost = self.outbox.lost(target, epoch, since).await?;
        if lost > 0 {
            tracing::warn!(user, lost, "the gateway lost what it had, which is delivered again");
        }
        Ok(())
    }
}
