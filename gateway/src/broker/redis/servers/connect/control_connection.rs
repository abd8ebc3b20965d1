//! The control connection to a server. It queries the state of the cluster and renews the server's assignment.

use super::{connect_error::ConnectError, route::Route, server::Server, server_assignment::ServerAssignment};
use gateway_core::model::lock;
use redis::aio::MultiplexedConnection;
use std::sync::{Arc, Mutex};

/// A connection for the periodic queries of a node to a server.
pub(super) struct ControlConnection {
    connection: MultiplexedConnection,
    route: Arc<Route>,
    /// The server at the other end.
    server: Server,
}

impl ControlConnection {
    pub(super) fn new(connection: MultiplexedConnection, route: Arc<Route>, server: Server) -> Self {
        Self { connection, route, server }
    }

    /// The server's answer to `CLUSTER NODES`.
    pub(super) async fn cluster_nodes(&mut self) -> Result<String, ConnectError> {
        let question = redis::cmd("CLUSTER").arg("NODES").to_owned();
        question.query_async(&mut self.connection).await.map_err(|error| self.route.error(&error))
    }

    /// Renews the server's assignment.
    pub(super) async fn renew(&mut self, assignment: &ServerAssignment) -> Result<(), ConnectError> {
        assignment.renew(&self.route.peer, &mut self.connection).await
    }
}

/// Keeps the control connection between two queries. A connection that did not answer is not kept.
#[derive(Default)]
pub(super) struct KeptConnection(Mutex<Option<ControlConnection>>);

impl KeptConnection {
    /// Takes the connection if its server satisfies `is_current`.
    pub(super) fn take(&self, is_current: impl FnOnce(&Server) -> bool) -> Option<ControlConnection> {
        lock(&self.0).take().filter(|kept| is_current(&kept.server))
    }

    pub(super) fn keep(&self, connection: ControlConnection) {
        *lock(&self.0) = Some(connection);
    }
}
