//! Removes presence entries of nodes that no longer exist, and ends occupations of channels, where the clean-up after dead nodes missed them.

use crate::broker::{BrokerError, Nodes, Sweep, Swept};
use crate::cluster::shared_cluster::SharedCluster;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Pause between two steps of a sweep, of at most a thousand keys each. It keeps the load on Redis low.
const STEP_PAUSE: Duration = Duration::from_millis(100);
/// Pause after a step that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

impl SharedCluster {
    /// Sweeps all presence entries again and again. Of all nodes, one does each sweep. Each node also writes its own holds again. Never returns.
    pub(in crate::cluster) async fn sweep_presence(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        let started = Instant::now();
        loop {
            // A random pause: nodes that start together do not try at the same time.
            sleep(self.timings.sweep.mul_f64(rand::random_range(0.1..0.2))).await;
            self.holds.write_again();
            if !nodes.lock_sweep(self.timings.sweep).await.unwrap_or(false) {
                continue;
            }
            let mut sweep = sweep_after(started.elapsed(), self.timings.sweep);
            while !sweep.is_over() {
                let pause = match self.sweep_step(nodes, &mut sweep).await {
                    Ok(()) => STEP_PAUSE,
                    Err(error) => {
                        tracing::warn!(%error, "the sweep of presence failed; it continues in five seconds");
                        RETRY_PAUSE
                    }
                };
                sleep(pause).await;
            }
        }
    }

    /// Takes one step. Leaves that cannot be announced wait for the next sweep, so that they do not hold up the rest of this one.
    async fn sweep_step(&self, nodes: &Nodes, sweep: &mut Sweep) -> Result<(), BrokerError> {
        let Swept { orphaned, vacant } = nodes.sweep(sweep).await?;
        for (channel, generation) in vacant {
            tracing::warn!(%channel, "ending an occupation of a channel that no node has to end");
            self.holds.take_over(channel, generation);
        }
        if orphaned.is_empty() {
            return Ok(());
        }
        tracing::warn!(connections = orphaned.len(), "removing presence entries of nodes that no longer exist");
        self.announce_leaves(&orphaned).await?;
        nodes.remove_orphaned(&orphaned).await
    }
}

/// The sweep of a node that started this long ago. In the first interval it deletes no keys at the wrong server: the list of servers may be
/// wrong, and the right list would need these keys.
fn sweep_after(uptime: Duration, interval: Duration) -> Sweep {
    if uptime < interval { Sweep::without_misplaced() } else { Sweep::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_node_deletes_no_misplaced_keys() {
        let interval = Duration::from_hours(1);
        for (minutes, deletes) in [(0, false), (12, false), (59, false), (60, true), (1000, true)] {
            assert_eq!(sweep_after(Duration::from_mins(minutes), interval).deletes_misplaced(), deletes, "{minutes}");
        }
    }
}
