//! Users whom a service has disconnected for good while this node could not be told: looked up, and told to their connections, which know themselves
//! whether it concerns them.

use super::{hub::Hub, output::outbox::Notice};
use crate::telemetry::FailureLog;
use gateway_core::model::{Revocation, UserId};
use std::{rc::Rc, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Users that are looked up together.
const STEP: usize = 100;
/// Between two such steps, so that a large node does not crowd out what else wants to know something of the store.
const PAUSE: Duration = Duration::from_millis(10);

impl Hub {
    // NL-7.10
    /// Looks up the users of this worker each time it is called for. For good.
    pub(crate) async fn look_up_revocations(self: Rc<Self>) {
        loop {
            self.revocation_check.notified().await;
            // Who comes from here on looks by itself.
            // Any order: no look-up depends on another.
            let users: Vec<_> = self.state.borrow().users.keys().cloned().collect();
            for some in users.chunks(STEP) {
                futures_util::future::join_all(some.iter().map(|user| self.look_up(user))).await;
                sleep(PAUSE).await;
            }
        }
    }

    async fn look_up(&self, user: &UserId) {
        // Who has gone meanwhile looks by itself when it is back.
        let mut failures = FailureLog::default();
        while self.state.borrow().users.contains_key(user) {
            match self.parts.broker.revoked(user).await {
                Ok(revoked) => return revoked.into_iter().for_each(|revoked| self.revoke(user, revoked)),
                Err(error) => {
                    failures.failed(
                        || tracing::warn!(%user, %error, "the revocations of a user cannot be read yet; the worker tries until it can"),
                    );
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
