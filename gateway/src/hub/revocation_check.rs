//! Revocations that this worker may have missed: tokens were revoked while this node was cut off, or just before a connection got such a token.
//!
//! The worker reads the revocations of its users and of the claims of their tokens, and passes them to their connections. Each connection decides
//! whether a revocation applies to it.

use super::{hub::Hub, state::entry::Entry};
use crate::{broker::BrokerError, telemetry::FailureLog};
use gateway_core::model::{RevocationTarget, ServerCommand};
use std::{rc::Rc, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Number of targets that the worker checks at the same time.
const CHUNK: usize = 100;
/// Pause between two such groups. It leaves the store time for other commands of a large node.
const PAUSE: Duration = Duration::from_millis(10);

impl Hub {
    // NL-7.10
    /// Checks after each signal what it is about. Never returns.
    pub(crate) async fn check_revocations(self: Rc<Self>) {
        loop {
            self.revocation_checks.wanted().await;
            // Connections that open from here on check their own revocation.
            let targets = self.targets_to_check();
            for group in targets.chunks(CHUNK) {
                futures_util::future::join_all(group.iter().map(|target| self.check_target(target))).await;
                sleep(PAUSE).await;
            }
        }
    }

    fn targets_to_check(&self) -> Vec<RevocationTarget> {
        let (all, renewed) = self.revocation_checks.take();
        let state = self.state.borrow();
        let claim = |(claim, digest)| RevocationTarget::Claim(claim, digest);
        let mut targets: Vec<RevocationTarget> = if all {
            // Any order: no check depends on another.
            let users = state.users.keys().cloned().map(RevocationTarget::User);
            users.chain(state.tokens.all().map(claim)).collect()
        } else {
            let entries = renewed.into_iter().filter_map(|index| state.connections.get(index as usize));
            let of_entry = |entry: &Entry| {
                let user = entry.info.as_ref().map(|info| info.user.clone()).filter(|user| !user.is_anonymous());
                let claims = entry.token_row.map(|row| state.tokens.claims(row)).unwrap_or_default();
                user.map(RevocationTarget::User).into_iter().chain(claims.iter().map(claim)).collect::<Vec<_>>()
            };
            entries.flat_map(of_entry).collect()
        };
        targets.sort_unstable();
        targets.dedup();
        targets
    }

    async fn check_target(&self, target: &RevocationTarget) {
        // A user or token without connections here is checked at its next connect.
        let mut failures = FailureLog::default();
        while self.has_target(target) {
            match self.parts.broker.revoked(target).await {
                Ok(revoked) => {
                    if let Some(revocation) = revoked {
                        self.notify_all(&target.clone().into(), &ServerCommand::Revoke(Arc::new(revocation)));
                    }
                    return;
                }
                Err(error) => {
                    failures.failed(|| warn(target, &error));
                    sleep(self.retry()).await;
                }
            }
        }
    }

    fn has_target(&self, target: &RevocationTarget) -> bool {
        let state = self.state.borrow();
        match target {
            RevocationTarget::User(user) => state.users.contains_key(user),
            RevocationTarget::Claim(claim, digest) => state.tokens.has(*claim, *digest),
        }
    }
}

fn warn(target: &RevocationTarget, error: &BrokerError) {
    tracing::warn!(%target, %error, "cannot read a revocation; the worker retries until it succeeds");
}
