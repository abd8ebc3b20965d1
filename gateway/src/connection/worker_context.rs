//! The parts that all connections of a worker share.

use super::limits::{ConnectionLimits, WorkBudget};
use crate::{hub::Hub, node::Node};
use shared_proto::http::{TurnKind, Turns};
use std::{rc::Rc, sync::Arc};

/// The parts that all connections of a worker share.
pub struct WorkerContext {
    /// The hub of the worker.
    pub hub: Rc<Hub>,
    /// The node of the worker.
    pub node: Arc<Node>,
    /// The bounds of each connection.
    pub limits: ConnectionLimits,
    /// Turns of connections that are not connected yet.
    pub(super) connect_turns: Rc<Turns>,
    /// Turns of connections that sent more than one turn handles, or had a large answer.
    pub(super) continued_turns: Rc<Turns>,
    /// Turns of connections that end, or close because they are too slow.
    pub(super) end_turns: Rc<Turns>,
    pub(super) work_budget: WorkBudget,
}

impl WorkerContext {
    /// A worker without connections.
    pub fn new(hub: Rc<Hub>, node: Arc<Node>, limits: ConnectionLimits) -> Self {
        let connect_turns = Turns::new(TurnKind::Connect, limits.turn_connects);
        let continued_turns = Turns::new(TurnKind::Continued, limits.turn_continued);
        let end_turns = Turns::new(TurnKind::End, limits.turn_ends);
        Self { hub, node, limits, connect_turns, continued_turns, end_turns, work_budget: WorkBudget::new(limits.work_bytes) }
    }
}
