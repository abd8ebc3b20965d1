//! Registers this node, renews its lease, and finds dead nodes.

use super::{members::Member, remote::Remote};
use crate::broker::{BrokerError, Lease, NodeRecord, Nodes};
use gateway_core::model::lock;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// For the store to take note that this node leaves.
const FAREWELL: Duration = Duration::from_secs(1);

impl Remote {
    /// All that are registered and alive now.
    pub(super) async fn members(&self) -> Result<Vec<Member>, BrokerError> {
        let Some(nodes) = self.broker.nodes() else { return Ok(vec![self.me.clone()]) };
        Ok(alive(&nodes.list().await?))
    }

    /// Registers this node, keeps it registered, and says who is dead. For good.
    pub(super) async fn belong(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        let mut standing = Standing::Outside;
        loop {
            match self.heartbeat(nodes, standing).await {
                Ok(next) => {
                    let goes_on = matches!((standing, next), (Standing::Since(_), Standing::Since(_)));
                    standing = next;
                    if !goes_on {
                        continue;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the heartbeat of this node did not reach Redis");
                    standing = standing.interrupted();
                    nodes.judge(false);
                }
            }
            sleep(self.times.lease / 3).await;
        }
    }

    async fn heartbeat(&self, nodes: &Nodes, standing: Standing) -> Result<Standing, BrokerError> {
        let record = self.me.record();
        let since = match standing {
            Standing::Outside | Standing::Again => {
                nodes.enter(&record, self.times.lease).await?;
                if standing == Standing::Again {
                    self.anew.notify_one();
                }
                self.missed.notify_one();
                return Ok(Standing::Since(Instant::now()));
            }
            Standing::Since(_) if nodes.renew(&record, self.times.lease).await? == Lease::Lost => {
                tracing::warn!("the lease of this node had ended: it registers anew");
                nodes.judge(false);
                let former = nodes.begin_generation(&record).await?;
                lock(&self.former).push(former);
                return Ok(Standing::Again);
            }
            Standing::Since(since) => since,
        };
        self.delete_connections_of(nodes).await;
        let all = nodes.list().await?;
        self.see(&all);
        // After an outage every lease has ended. Who lives has one whole lease to say so.
        let judges = since.elapsed() > self.times.lease;
        nodes.judge(judges);
        let dead = all.into_iter().filter(|node| judges && !node.is_alive).map(|node| node.id);
        self.dead.send_replace(dead.collect());
        Ok(Standing::Since(since))
    }

    /// Has nobody tell the ends of connections that live on. After an outage everybody does so before anybody is taken for dead.
    async fn delete_connections_of(&self, nodes: &Nodes) {
        let former = lock(&self.former).clone();
        for life in &former {
            match timeout(self.times.lease / 3, nodes.delete_connections_of(life)).await {
                Ok(Ok(())) => lock(&self.former).retain(|it| it != life),
                // The next heartbeat tries again.
                Ok(Err(error)) => return tracing::warn!(%error, "connections of this node are still known from its former life"),
                Err(_) => return tracing::warn!("connections of this node are still known from its former life: Redis does not answer"),
            }
        }
    }

    /// Takes note of who lives.
    fn see(&self, all: &[NodeRecord]) {
        let alive = alive(all);
        let differs = alive.iter().find_map(|other| self.me.differs(other));
        if let Some(why) = &differs {
            tracing::error!("{why}");
        }
        *lock(&self.trouble) = differs.map(Into::into);
        self.links.send_if_modified(|links| {
            let now: Arc<[String]> = alive.iter().map(|node| node.link.to_string()).collect();
            let changed = *links != now;
            *links = now;
            changed
        });
    }

    /// Takes this node off the list.
    pub(super) async fn leave(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        match timeout(FAREWELL, nodes.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "this node could not leave the cluster; its lease will end"),
            Err(_) => tracing::warn!("this node could not leave the cluster in time; its lease will end"),
        }
    }
}

/// Those of them that live, by name.
fn alive(all: &[NodeRecord]) -> Vec<Member> {
    let mut alive: Vec<_> = all.iter().filter(|node| node.is_alive).filter_map(Member::parse).collect();
    // A node that came back before the lease of its last life ended is there twice.
    alive.sort_by(|a, b| a.name.cmp(&b.name).then(b.since_ms.cmp(&a.since_ms)));
    alive.dedup_by(|a, b| a.name == b.name);
    alive
}

/// Whether a node is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not yet.
    Outside,
    /// Not yet again, after its lease had ended.
    Again,
    /// It is, and no heartbeat has failed since then.
    Since(Instant),
}

impl Standing {
    /// A heartbeat failed.
    fn interrupted(self) -> Self {
        match self {
            Self::Outside | Self::Again => self,
            Self::Since(_) => Self::Since(Instant::now()),
        }
    }
}
