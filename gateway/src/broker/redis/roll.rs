//! Who is connected to which node, for services that want to hear of every connection's end: of a dead node it is read here.
//!
//! Kept only where a service asks for it. A connection is entered before a service hears of it, and struck out after it has heard of its end; so what is
//! found here of a dead node was told, and its end perhaps not.

use super::{
    lane::{Again, Command, To},
    nodes::{NodeId, Nodes},
    streams::{garbled, text},
};
use crate::{
    broker::BrokerError,
    model::{ConnectionId, UserId},
};
use redis::{Cmd, Value, cmd};

/// Connections of a dead node that are read in one step.
const STEP: usize = 256;
/// What one node changes here keeps its order.
const ORDER: Option<u64> = Some(0);

impl Nodes {
    /// Enters connections of this node.
    pub async fn enroll(&self, these: &[(ConnectionId, UserId)]) -> Result<(), BrokerError> {
        if these.is_empty() {
            return Ok(());
        }
        let mut enter = cmd("HSET");
        enter.arg(self.keys.roll(&self.life.id()));
        for (connection, user) in these {
            enter.arg(connection.to_string()).arg(user.as_str());
        }
        self.change(enter).await
    }

    /// Strikes out connections of this node.
    pub async fn strike(&self, these: &[ConnectionId]) -> Result<(), BrokerError> {
        self.strike_from(&self.life.id(), these).await
    }

    /// Strikes out connections of a dead node, of which services have heard.
    pub async fn strike_from(&self, node: &NodeId, these: &[ConnectionId]) -> Result<(), BrokerError> {
        if these.is_empty() {
            return Ok(());
        }
        let mut strike = cmd("HDEL");
        strike.arg(self.keys.roll(node));
        for connection in these {
            strike.arg(connection.to_string());
        }
        self.change(strike).await
    }

    /// Some connections of a dead node that are not struck out.
    pub async fn enrolled(&self, dead: &NodeId) -> Result<Vec<(ConnectionId, UserId)>, BrokerError> {
        let mut some = cmd("HRANDFIELD");
        some.arg(self.keys.roll(dead)).arg(STEP).arg("WITHVALUES");
        let Value::Array(found) = self.run(some).await? else { return Err(garbled()) };
        // In pairs, or flat: that depends on the protocol's version.
        let flat = found.into_iter().flat_map(|it| if let Value::Array(pair) = it { pair } else { vec![it] });
        let texts: Vec<_> = flat.map(text).collect::<Option<_>>().ok_or_else(garbled)?;
        let each = |pair: &[String]| Some((pair[0].parse().ok()?, pair[1].parse().ok()?));
        texts.chunks_exact(2).map(each).collect::<Option<_>>().ok_or_else(garbled)
    }

    /// How many connections of a node are not struck out.
    pub(super) async fn enrolled_count(&self, node: &NodeId) -> Result<i64, BrokerError> {
        let mut count = cmd("HLEN");
        count.arg(self.keys.roll(node));
        match self.run(count).await? {
            Value::Int(number) => Ok(number),
            _ => Err(garbled()),
        }
    }

    async fn change(&self, cmd: Cmd) -> Result<(), BrokerError> {
        self.lane.run(Command { cmd, to: To::Key, order: ORDER, again: Again::Safe }).await.map(drop)
    }
}
