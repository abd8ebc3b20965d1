//! Revocations that this node may have missed: a service disconnected a user for good while this node was cut off.
//!
//! The worker reads the revocations of its users and passes them to their connections. Each connection decides whether a revocation applies to it.

use super::{hub::Hub, output::outbox::Notice};
use crate::telemetry::FailureLog;
use gateway_core::model::{Revocation, UserId};
use std::{rc::Rc, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Number of users that the worker checks at the same time.
const CHUNK: usize = 100;
/// Pause between two such groups. It leaves the store time for other commands of a large node.
const PAUSE: Duration = Duration::from_millis(10);

impl Hub {
    // NL-7.10
    /// Checks the users of this worker after each signal. Never returns.
    pub(crate) async fn check_revocations(self: Rc<Self>) {
        loop {
            self.revocation_check.notified().await;
            // Connections that open from here on check their own revocation.
            // Any order: no check depends on another.
            let users: Vec<_> = self.state.borrow().users.keys().cloned().collect();
            for group in users.chunks(CHUNK) {
                futures_util::future::join_all(group.iter().map(|user| self.check_user(user))).await;
                sleep(PAUSE).await;
            }
        }
    }

    async fn check_user(&self, user: &UserId) {
        // A user that has disconnected meanwhile is checked at its next connect.
        let mut failures = FailureLog::default();
        while self.state.borrow().users.contains_key(user) {
            match self.parts.broker.revoked(user).await {
                Ok(revoked) => return revoked.into_iter().for_each(|revoked| self.revoke(user, revoked)),
                Err(error) => {
                    failures
                        .failed(|| tracing::warn!(%user, %error, "cannot read a user's revocation; the worker retries until it succeeds"));
                    sleep(self.retry()).await;
                }
            }
        }
    }

    fn revoke(&self, user: &UserId, revocation: Revocation) {
        let outboxes: Vec<_> = {
            let state = self.state.borrow();
            let connections = state.users.get(user).into_iter().flatten();
            connections.filter_map(|index| Some(state.connections.get(*index as usize)?.outbox.clone())).collect()
        };
        let revocation = Arc::new(revocation);
        for outbox in outboxes {
            outbox.notify(Notice::Revoked(revocation.clone()));
        }
    }
}
