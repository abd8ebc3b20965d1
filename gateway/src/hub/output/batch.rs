//! Encoded outgoing bytes, and the memory budget for them.

use std::{cell::Cell, rc::Rc};

/// The memory budget of all outboxes of a worker.
#[derive(Debug)]
pub struct Budget {
    used: Cell<usize>,
    limit: usize,
}

impl Budget {
    /// Creates a budget of `limit` bytes.
    pub fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self { used: Cell::new(0), limit })
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// Whether the batches use more memory than the budget allows.
    pub fn is_exceeded(&self) -> bool {
        self.used.get() > self.limit
    }
}

/// Complete WebSocket frames, encoded once and shared by all receivers. They count against the budget while a reference to them exists.
#[derive(Debug)]
pub struct Batch {
    bytes: Box<[u8]>,
    /// Number of publications, joins and leaves of a channel in the frames.
    deliveries: u32,
    budget: Rc<Budget>,
}

impl Batch {
    /// Creates a batch of encoded frames that contain no publication, join or leave.
    pub fn new(bytes: impl Into<Box<[u8]>>, budget: &Rc<Budget>) -> Rc<Self> {
        Self::with_deliveries(0, bytes, budget)
    }

    /// Creates a batch of encoded frames that contain `deliveries` deliveries of a channel.
    pub(crate) fn with_deliveries(deliveries: usize, bytes: impl Into<Box<[u8]>>, budget: &Rc<Budget>) -> Rc<Self> {
        let batch = Self { bytes: bytes.into(), deliveries: deliveries as u32, budget: budget.clone() };
        budget.used.set(budget.used.get() + batch.memory());
        Rc::new(batch)
    }

    /// Number of deliveries of a channel in the frames.
    pub(crate) fn deliveries(&self) -> usize {
        self.deliveries as usize
    }

    /// The memory that the batch uses, in bytes. This is more than its length: it includes the fixed parts and the rounding of an allocator with
    /// four size classes between powers of two.
    pub fn memory(&self) -> usize {
        let length = self.bytes.len();
        length.next_multiple_of((length.next_power_of_two() / 8).max(16)) + size_of::<[usize; 2]>() + size_of::<Self>()
    }

    /// Whether the batches of the worker exceed the budget.
    pub fn over_budget(&self) -> bool {
        self.budget.is_exceeded()
    }
}

impl AsRef<[u8]> for Batch {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.budget.used.set(self.budget.used.get() - self.memory());
    }
}
