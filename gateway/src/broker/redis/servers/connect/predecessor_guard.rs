//! Ends the predecessor of a connection for commands.
//!
//! Commands of a broken connection may still be on their way, and the server may execute them between the commands of the next connection.
//! So the next connection makes the server close the broken one first. If the server does not allow that, it may execute commands of both
//! connections. Then a command whose answer was lost stays uncertain until its deadline.

use super::server::Server;
use redis::{
    RedisError, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
};
use std::sync::Arc;

/// What a connection for commands knows of its server and of its predecessor.
#[derive(Clone, Debug)]
pub(crate) struct PredecessorGuard {
    pub(crate) server: Server,
    /// The identity of the server's data. If it changes, data may be missing.
    pub(crate) data: Arc<str>,
    /// Whether it is certain that the server executes no more commands of an earlier connection.
    pub(crate) predecessor_ended: bool,
    /// The id of this connection at the server, if the server reports it.
    client_id: Option<i64>,
}

impl PredecessorGuard {
    // NL-2.13
    /// Makes the server end the `last` connection. Only the server of that connection can do this. If the new connection leads to another
    /// server, the old server may still execute commands.
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
        if let Some(client_id) = last.and_then(|last| last.client_id) {
            questions.cmd("CLIENT").arg("KILL").arg("ID").arg(client_id);
        }
        let mut answers = connection.req_packed_commands(&questions, 0, questions.len()).await?.into_iter();
        // Without a run id, a restart of the server would stay unnoticed, and the client id might belong to another connection.
        let client_id = answers.next().and_then(|answer| redis::from_redis_value(answer).ok()).filter(|_| server.has_run_id());
        let predecessor_ended = is_first || matches!(answers.next(), Some(Value::Int(_)));
        if !predecessor_ended && last.is_some() {
            tracing::warn!(
                address = %server.address,
                "Redis refused to end the gateway's broken connection: give the user of redis.url the rights CLIENT ID and CLIENT KILL"
            );
        }
        Ok(Self { server, data: data.into(), predecessor_ended, client_id })
    }
}
