//! Who a connection for commands is to its server.
//!
//! What a broken connection was sent may still be on its way, and be carried out between what the next one sends. So the next one has the server end
//! it first. A server that forbids that may hear both: then nobody knows for sure that a command whose answer was lost will not be carried out before its time is over.

use super::server::Server;
use redis::{
    RedisError, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
};
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct PredecessorGuard {
    pub(crate) server: Server,
    /// The identity of the server's data. With another one something may be missing.
    pub(crate) data: Arc<str>,
    /// Whether nothing of an earlier connection is carried out any more.
    pub(crate) is_alone: bool,
    /// The connection's number, if the server tells it.
    number: Option<i64>,
}

impl PredecessorGuard {
    // NL-2.13
    /// Takes the place of the `last` one. Only this server can end that; what it was sent elsewhere may still be carried out there.
    pub(crate) async fn take(
        connection: &mut MultiplexedConnection,
        server: Server,
        data: &str,
        last: Option<&Self>,
    ) -> Result<Self, RedisError> {
        let is_first = last.is_none();
        let last = last.filter(|last| last.server == server);
        let mut questions = redis::pipe();
        questions.cmd("CLIENT").arg("ID");
        if let Some(number) = last.and_then(|last| last.number) {
            questions.cmd("CLIENT").arg("KILL").arg("ID").arg(number);
        }
        let mut answers = connection.req_packed_commands(&questions, 0, questions.len()).await?.into_iter();
        // Without the name of its process a number might be another connection's after a restart.
        let number = answers.next().and_then(|answer| redis::from_redis_value(answer).ok()).filter(|_| server.is_named());
        let is_alone = is_first || matches!(answers.next(), Some(Value::Int(_)));
        if !is_alone && last.is_some() {
            tracing::warn!(
                address = %server.address,
                "Redis does not let the gateway end its last connection, which broke: may the user of redis.url CLIENT ID and CLIENT KILL?"
            );
        }
        Ok(Self { server, data: data.into(), is_alone, number })
    }
}
