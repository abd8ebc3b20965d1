//! The connection pool and the client for one server.

use super::{connect_error::ConnectError, timing::Timeouts};
use crate::broker::redis::servers::address::Peer;
use deadpool_redis::{Manager, Pool, PoolError, Runtime};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, ProtocolVersion, PushInfo, RedisError, aio::MultiplexedConnection,
    io::tcp::TcpSettings,
};
use std::convert::Infallible;

/// Makes connections to one server.
pub(crate) struct Route {
    pub(crate) peer: Peer,
    /// Makes the connections for commands. A lane takes its connection out of the pool and keeps it.
    pool: Pool,
    /// Makes the connections for subscriptions.
    client: Client,
    timeouts: Timeouts,
}

impl Route {
    /// A route for this number of lanes. It does not connect yet.
    pub(crate) fn new(peer: Peer, lanes: usize, timeouts: Timeouts) -> Result<Self, RedisError> {
        let info = peer.info(tcp(timeouts));
        let manager = Manager::new_with_config(info.clone(), config(timeouts))?;
        let limit = Some(timeouts.connect);
        let pool = Pool::builder(manager)
            .max_size(lanes)
            .wait_timeout(limit)
            .create_timeout(limit)
            .recycle_timeout(limit)
            .runtime(Runtime::Tokio1);
        let pool = pool.build().map_err(|error| {
            RedisError::from((ErrorKind::InvalidClientConfig, "the connection pool has an invalid setting", error.to_string()))
        })?;
        Ok(Self { peer, pool, client: Client::open(resp3(info))?, timeouts })
    }

    /// A connection for commands.
    pub(crate) async fn command(&self) -> Result<MultiplexedConnection, ConnectError> {
        let pooled = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => self.error(&error),
            PoolError::Timeout(_) => ConnectError::unreachable(&self.peer, &format!("no answer within {:?}", self.timeouts.connect)),
            other => ConnectError::Unusable { address: self.peer.to_string().into(), cause: other.to_string().into() },
        })?;
        Ok(deadpool_redis::Connection::take(pooled))
    }

    /// A connection for subscriptions. `on_push` gets each push.
    pub(crate) async fn subscriber(
        &self,
        on_push: impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, ConnectError> {
        let config = config(self.timeouts).set_push_sender(on_push);
        self.client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| self.error(&error))
    }

    /// Converts an error of the client library into an error of this server.
    pub(crate) fn error(&self, error: &RedisError) -> ConnectError {
        ConnectError::of(&self.peer, error)
    }
}

/// The socket options of every connection.
pub(crate) fn tcp(timeouts: Timeouts) -> TcpSettings {
    let tcp = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(2 * timeouts.response);
    tcp
}

fn config(timeouts: Timeouts) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeouts.connect))
        .set_response_timeout(Some(timeouts.response))
        .set_write_backpressure_boundary(64 << 10)
}

/// Selects RESP3, because only RESP3 carries pushes and answers on the same connection.
fn resp3(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    info.set_redis_settings(settings)
}
