//! This node as the cluster knows it.

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
    judges: AtomicBool,
}

impl LocalNode {
    pub(crate) fn new(name: &str) -> Self {
        Self { id: Mutex::new(NodeId::of_new_process(name)), judges: AtomicBool::new(false) }
    }

    /// Whether it may take others for dead whose lease is gone.
    pub(crate) fn judges(&self) -> bool {
        self.judges.load(Relaxed)
    }

    pub(crate) fn set_judge(&self, may: bool) {
        self.judges.store(may, Relaxed);
    }

    /// From now on other nodes take this one for another.
    pub(crate) fn begin_generation(&self) {
        let mut id = lock(&self.id);
        *id = id.next();
    }

    /// The current generation.
    pub(crate) fn id(&self) -> NodeId {
        lock(&self.id).clone()
    }
}
