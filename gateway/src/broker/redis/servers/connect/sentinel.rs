//! Queries sentinels for the current master.

use super::{connect_error::ConnectError, route, timing::Timeouts};
use crate::broker::redis::servers::address::Peer;
use gateway_core::model::lock;
use redis::{AsyncConnectionConfig, Client, RedisError, aio::MultiplexedConnection};
use std::sync::Mutex;
use tokio::time::timeout;

/// The sentinels of a service.
pub(crate) struct Sentinels {
    peers: Vec<Peer>,
    service: Box<str>,
    /// Login, database and TLS of the service's servers.
    server: Peer,
    timeouts: Timeouts,
    /// The connection to the sentinel that answered last. It gets the next query first.
    kept: Mutex<Option<MultiplexedConnection>>,
}

/// A sentinel's answer: host and port. None if it does not watch the service.
type Answer = Option<(String, u16)>;

impl Sentinels {
    pub(crate) fn new(peers: Vec<Peer>, service: Box<str>, server: Peer, timeouts: Timeouts) -> Self {
        Self { peers, service, server, timeouts, kept: Mutex::new(None) }
    }

    /// Finds the current master. Queries one sentinel after the other until one names the master. All queries together take at most the
    /// connect timeout.
    pub(crate) async fn master(&self) -> Result<Peer, ConnectError> {
        let limit = self.timeouts.connect / (1 + self.peers.len() as u32);
        let kept = lock(&self.kept).take();
        if let Some(connection) = kept
            && let Ok(Ok(Some(master))) = timeout(limit, self.query(connection)).await
        {
            return Ok(master);
        }
        let mut failure = ConnectError::Unwatched { service: self.service.clone() };
        for sentinel in &self.peers {
            let answer = async { self.query(self.connect(sentinel).await?).await };
            match timeout(limit, answer).await {
                Ok(Ok(Some(master))) => return Ok(master),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => failure = ConnectError::of_sentinel(sentinel, &error),
                Err(_) => failure = ConnectError::no_sentinel(sentinel, &format!("no answer within {limit:?}")),
            }
        }
        Err(failure)
    }

    async fn connect(&self, sentinel: &Peer) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeouts.connect))
            .set_response_timeout(Some(self.timeouts.response));
        let client = Client::open(sentinel.info(route::tcp(self.timeouts)))?;
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Queries a sentinel over this connection. Keeps the connection if the sentinel answers.
    async fn query(&self, mut connection: MultiplexedConnection) -> Result<Option<Peer>, RedisError> {
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&*self.service);
        let answer: Answer = question.query_async(&mut connection).await?;
        let Some((host, port)) = answer else { return Ok(None) };
        *lock(&self.kept) = Some(connection);
        Ok(Some(self.server.at(host, port)))
    }
}
