//! The parts that all connections of a worker share.

use super::{
    connect_turns::ConnectTurns,
    limits::{ConnectionLimits, WorkBudget},
};
use crate::{hub::Hub, node::Node};
use std::{rc::Rc, sync::Arc};

/// The parts that all connections of a worker share.
pub struct WorkerContext {
    /// The hub of the worker.
    pub hub: Rc<Hub>,
    /// The node of the worker.
    pub node: Arc<Node>,
    /// The bounds of each connection.
    pub limits: ConnectionLimits,
    pub(super) connect_turns: Rc<ConnectTurns>,
    pub(super) work_budget: WorkBudget,
}

impl WorkerContext {
    /// A worker without connections.
    pub fn new(hub: Rc<Hub>, node: Arc<Node>, limits: ConnectionLimits) -> Self {
        Self { hub, node, limits, connect_turns: ConnectTurns::new(&limits), work_budget: WorkBudget::new(limits.work_bytes) }
    }
}
