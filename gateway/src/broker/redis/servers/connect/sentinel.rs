//! Sentinels, and the master that they name.

use super::{connect_error::ConnectError, route, timing::Timeouts};
use crate::broker::redis::servers::address::Peer;
use gateway_core::model::lock;
use redis::{AsyncConnectionConfig, Client, RedisError, aio::MultiplexedConnection};
use std::sync::Mutex;
use tokio::time::timeout;

/// Who knows where a service's master is.
pub(crate) struct Sentinels {
    peers: Vec<Peer>,
    service: Box<str>,
    /// How its servers are spoken with.
    server: Peer,
    timeouts: Timeouts,
    /// The connection to the one that knew last, which is asked first.
    kept: Mutex<Option<MultiplexedConnection>>,
}

/// What a sentinel answered: nothing if it does not watch the service.
type Answer = Option<(String, u16)>;

impl Sentinels {
    pub(crate) fn new(peers: Vec<Peer>, service: Box<str>, server: Peer, timeouts: Timeouts) -> Self {
        Self { peers, service, server, timeouts, kept: Mutex::new(None) }
    }

    /// The master now. Asks one sentinel after the other until one knows; all together have the time that a connection may take.
    pub(crate) async fn master(&self) -> Result<Peer, ConnectError> {
        let share = self.timeouts.connect / (1 + self.peers.len() as u32);
        let kept = lock(&self.kept).take();
        if let Some(connection) = kept
            && let Ok(Ok(Some(master))) = timeout(share, self.ask(connection)).await
        {
            return Ok(master);
        }
        let mut trouble = ConnectError::Unwatched { service: self.service.clone() };
        for sentinel in &self.peers {
            let asked = async { self.ask(self.connect(sentinel).await?).await };
            match timeout(share, asked).await {
                Ok(Ok(Some(master))) => return Ok(master),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => trouble = ConnectError::of_sentinel(sentinel, &error),
                Err(_) => trouble = ConnectError::no_sentinel(sentinel, &format!("no answer within {share:?}")),
            }
        }
        Err(trouble)
    }

    async fn connect(&self, sentinel: &Peer) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeouts.connect))
            .set_response_timeout(Some(self.timeouts.response));
        let client = Client::open(sentinel.info(route::tcp(self.timeouts)))?;
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Keeps a connection that gave a good answer.
    async fn ask(&self, mut connection: MultiplexedConnection) -> Result<Option<Peer>, RedisError> {
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&*self.service);
        let answer: Answer = question.query_async(&mut connection).await?;
        let Some((host, port)) = answer else { return Ok(None) };
        *lock(&self.kept) = Some(connection);
        Ok(Some(self.server.at(host, port)))
    }
}
