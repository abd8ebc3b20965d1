//! This node as the cluster knows it.

use crate::broker::redis::schema::node_id::{NodeId, generation};
use gateway_core::model::lock;
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// This node, and which of its generations lives: another with each process, and with each lease that it let end.
#[derive(Debug)]
pub(crate) struct LocalNode {
    name: Box<str>,
    generation: Mutex<Box<str>>,
    judges: AtomicBool,
}

impl LocalNode {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), generation: Mutex::new(generation()), judges: AtomicBool::new(false) }
    }

    /// Whether it may take others for dead whose lease is gone.
    pub(crate) fn judges(&self) -> bool {
        self.judges.load(Relaxed)
    }

    pub(crate) fn set_judge(&self, may: bool) {
        self.judges.store(may, Relaxed);
    }

    /// From now on this node is another one to the rest.
    pub(crate) fn begin_generation(&self) {
        *lock(&self.generation) = generation();
    }

    /// As it is written in Redis.
    pub(crate) fn id(&self) -> NodeId {
        NodeId { name: self.name.clone(), generation: lock(&self.generation).clone() }
    }
}
