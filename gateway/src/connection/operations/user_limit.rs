//! Keeps to the limit of a user's open connections on all nodes.

use super::requester::Requester;
use crate::settings::OnExcess;
use gateway_core::{
    limits::Limit,
    model::{CommandTarget, ConnectionId, Disconnect, ServerCommand, UserId},
    session::Outcome,
};
use std::time::Duration;
use tokio::time::timeout;

/// Longest time for all nodes to say which connections the user has. The client should not wait longer for a node that does not answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

impl Requester {
    /// Ends the connections that the user has above the limit. Returns how this one ends, if it is one of them.
    ///
    /// It is registered under the user already. So of two that connect at the same time, each finds the other, and both decide the same. Nobody
    /// asks while no worker has more than its share. The first worker with more makes all others ask. Without a share all ask at each connect.
    pub(super) async fn keep_user_limit(&self, user: &UserId) -> Option<Outcome> {
        let node = &self.worker.node;
        let (limit, watched) = (node.user_connections, node.cluster.watched_users().get(user));
        let share = limit.share(node.cluster.worker_threads());
        let is_above = self.worker.hub.connections_of(user) > share;
        if user.is_anonymous() || (!is_above && watched.is_none()) {
            return None;
        }
        let question = async {
            if is_above && share > 0 {
                node.cluster.watch_user(user).await
            } else {
                node.cluster.connections(CommandTarget::User(user.clone())).await
            }
        };
        let found = match timeout(ANSWER_TIMEOUT, question).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                unknown(user, &error.to_string());
                return None;
            }
            Err(late) => {
                unknown(user, &late.to_string());
                return None;
            }
        };
        if let Some(watched) = watched.filter(|_| found.len() <= share) {
            node.cluster.watched_users().end(user, watched);
        }
        let mut own = None;
        for id in limit.excess(found.iter().map(|connection| (connection.since_us, connection.id)).collect()) {
            // A connection that is newer than this one refuses itself.
            if id != self.connection && limit.on_excess == OnExcess::Refuse {
                continue;
            }
            node.metrics.limited(Limit::UserConnections);
            if id == self.connection {
                own = Some(Outcome::Disconnect {
                    code: Disconnect::ConnectionLimit.code(),
                    reason: Disconnect::ConnectionLimit.reason().into(),
                });
            } else {
                self.end(user, id).await;
            }
        }
        own
    }

    async fn end(&self, user: &UserId, id: ConnectionId) {
        let (code, reason) = (Disconnect::ConnectionLimit.code(), Disconnect::ConnectionLimit.reason().into());
        let ended = self.worker.node.cluster.command(CommandTarget::Connection(id), ServerCommand::Disconnect { code, reason }).await;
        if let Err(error) = ended {
            tracing::warn!(%user, connection = %id, %error, "cannot end a connection above limits.user.connections; the next connect tries again");
        }
    }
}

/// An outage of the store or of a node must not keep users out.
fn unknown(user: &UserId, error: &str) {
    tracing::warn!(%user, error, "accepted a connection without a check of limits.user.connections, because a node does not answer");
}
