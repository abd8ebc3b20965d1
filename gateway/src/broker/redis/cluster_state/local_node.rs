//! The local node: this process in the cluster.

use crate::broker::redis::schema::node_id::NodeId;
use gateway_core::model::lock;
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// This process, and its current generation.
#[derive(Debug)]
pub(crate) struct LocalNode {
    id: Mutex<NodeId>,
    may_declare_dead: AtomicBool,
}

impl LocalNode {
    pub(crate) fn new(name: &str) -> Self {
        Self { id: Mutex::new(NodeId::of_new_process(name)), may_declare_dead: AtomicBool::new(false) }
    }

    /// Whether this node may declare other nodes dead whose lease has expired.
    pub(crate) fn may_declare_dead(&self) -> bool {
        self.may_declare_dead.load(Relaxed)
    }

    pub(crate) fn set_may_declare_dead(&self, may: bool) {
        self.may_declare_dead.store(may, Relaxed);
    }

    /// Begins the next generation of this process. For other nodes it is another node.
    pub(crate) fn begin_generation(&self) {
        let mut id = lock(&self.id);
        *id = id.next();
    }

    /// The current generation.
    pub(crate) fn id(&self) -> NodeId {
        lock(&self.id).clone()
    }
}
