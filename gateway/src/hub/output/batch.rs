//! Encoded bytes on their way out, and the memory they may take.

use std::{cell::Cell, rc::Rc};

/// Memory that all outboxes of a worker may take together, in bytes.
#[derive(Debug)]
pub struct Budget {
    used: Cell<usize>,
    limit: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self { used: Cell::new(0), limit })
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// Whether more is in use than may be.
    pub fn is_exceeded(&self) -> bool {
        self.used.get() > self.limit
    }
}

/// Whole frames of one encoding, encoded once and shared by everyone who gets them. Counted against the budget while anyone holds it.
#[derive(Debug)]
pub struct Batch {
    bytes: Box<[u8]>,
    /// Publications, joins and leaves of a channel in it.
    deliveries: u32,
    budget: Rc<Budget>,
}

impl Batch {
    /// Takes over encoded frames.
    pub fn new(bytes: impl Into<Box<[u8]>>, budget: &Rc<Budget>) -> Rc<Self> {
        Self::of(0, bytes, budget)
    }

    /// The same, with so many deliveries of a channel in them.
    pub(crate) fn of(deliveries: usize, bytes: impl Into<Box<[u8]>>, budget: &Rc<Budget>) -> Rc<Self> {
        let batch = Self { bytes: bytes.into(), deliveries: deliveries as u32, budget: budget.clone() };
        budget.used.set(budget.used.get() + batch.memory());
        Rc::new(batch)
    }

    /// How many deliveries of a channel are in it.
    pub(crate) fn deliveries(&self) -> usize {
        self.deliveries as usize
    }

    /// Bytes of memory that it takes. More than it holds: an allocator has four sizes between two powers of two, and many small batches
    /// are mostly what is around them.
    pub fn memory(&self) -> usize {
        let length = self.bytes.len();
        length.next_multiple_of((length.next_power_of_two() / 8).max(16)) + size_of::<[usize; 2]>() + size_of::<Self>()
    }

    /// Whether all batches of the worker together take more than they may.
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
