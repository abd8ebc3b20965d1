//! The connection for what a node asks a server again and again, and what that is.

use super::{connect_error::ConnectError, route::Route, server::Server, server_assignment::ServerAssignment};
use gateway_core::model::lock;
use redis::aio::MultiplexedConnection;
use std::sync::{Arc, Mutex};

/// See the module.
pub(super) struct ControlConnection {
    connection: MultiplexedConnection,
    route: Arc<Route>,
    /// Who answers it.
    server: Server,
}

impl ControlConnection {
    pub(super) fn new(connection: MultiplexedConnection, route: Arc<Route>, server: Server) -> Self {
        Self { connection, route, server }
    }

    /// What the server knows of its cluster.
    pub(super) async fn cluster_nodes(&mut self) -> Result<String, ConnectError> {
        let question = redis::cmd("CLUSTER").arg("NODES").to_owned();
        question.query_async(&mut self.connection).await.map_err(|error| self.route.trouble(&error))
    }

    /// Claims the server's share.
    pub(super) async fn claim(&mut self, share: &ServerAssignment) -> Result<(), ConnectError> {
        share.claim(&self.route.peer, &mut self.connection).await
    }
}

/// Keeps the control connection between two questions. One that gave no answer is not kept.
#[derive(Default)]
pub(super) struct KeptConnection(Mutex<Option<ControlConnection>>);

impl KeptConnection {
    /// Takes it out, if it leads to a server that is still the right one.
    pub(super) fn take(&self, is_right: impl FnOnce(&Server) -> bool) -> Option<ControlConnection> {
        lock(&self.0).take().filter(|kept| is_right(&kept.server))
    }

    pub(super) fn keep(&self, connection: ControlConnection) {
        *lock(&self.0) = Some(connection);
    }
}
