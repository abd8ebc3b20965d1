//! The connection for what is asked again and again, and what that is. It follows the newest connection, as all others do.

use super::{Connector, Server, pauses, route::Route, share::Share, trouble::Trouble};
use crate::broker::redis::health::{Health, Part};
use gateway_core::model::lock;
use redis::aio::MultiplexedConnection;
use std::sync::Arc;
use tokio::time::sleep;

/// See the module.
pub(super) struct Asking {
    connection: MultiplexedConnection,
    route: Arc<Route>,
    /// Who answers it.
    server: Server,
}

impl Connector {
    /// What the server knows of its cluster: its answer to `CLUSTER NODES`.
    pub(in super::super) async fn nodes(&self) -> Result<String, Trouble> {
        let mut asking = self.asking().await?;
        let question = redis::cmd("CLUSTER").arg("NODES").to_owned();
        let answer = question.query_async(&mut asking.connection).await.map_err(|error| asking.route.trouble(&error))?;
        self.keep(asking);
        Ok(answer)
    }

    /// Claims the server's share again and again. When this node is contradicted, here or elsewhere, all connections are to be made anew, and none will be.
    pub(in super::super) async fn claim_for_good(&self, part: Part, health: &Health) {
        let Some(share) = &self.share else { return };
        let (mut attempts, mut is_suspended) = (pauses(), false);
        loop {
            let claimed = self.claim(share).await;
            let pause = match &claimed {
                Ok(()) | Err(Trouble::Disputed { .. } | Trouble::Suspended { .. }) => {
                    attempts = pauses();
                    share.pause()
                }
                Err(_) => attempts.next().unwrap_or_default().min(share.pause()),
            };
            match claimed {
                Err(trouble @ (Trouble::Disputed { .. } | Trouble::Suspended { .. })) => {
                    is_suspended = true;
                    self.abandon();
                    health.warn(part, &trouble.to_string());
                }
                // Those who need the server tell what else is wrong with it.
                Err(_) if is_suspended => {}
                Ok(()) | Err(_) => {
                    is_suspended = false;
                    health.well(part);
                }
            }
            sleep(pause).await;
        }
    }

    async fn claim(&self, share: &Share) -> Result<(), Trouble> {
        let mut asking = self.asking().await?;
        share.claim(&asking.route.peer, &mut asking.connection).await?;
        self.keep(asking);
        Ok(())
    }

    /// To be kept if it gives an answer.
    async fn asking(&self) -> Result<Asking, Trouble> {
        let kept = lock(&self.asks).take();
        if let Some(kept) = kept.filter(|kept| self.is_newest(&kept.server)) {
            return Ok(kept);
        }
        let route = self.route().await?;
        let mut connection = route.subscriber(|_| Ok(())).await?;
        let info = self.admit(&route, &mut connection).await?;
        let server = self.meet(&info, &route);
        Ok(Asking { connection, route, server })
    }

    fn keep(&self, asking: Asking) {
        *lock(&self.asks) = Some(asking);
    }
}
