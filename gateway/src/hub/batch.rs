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
    budget: Rc<Budget>,
}

impl Batch {
    /// Bytes that a batch and its place in a queue take beside its own, about. Without them, a queue of pongs, of two bytes each, would
    /// take fifty times what it counts.
    pub(super) const OVERHEAD: usize = 96;

    /// Takes over encoded frames.
    pub fn new(bytes: impl Into<Box<[u8]>>, budget: &Rc<Budget>) -> Rc<Self> {
        let bytes = bytes.into();
        let batch = Self { bytes, budget: budget.clone() };
        budget.used.set(budget.used.get() + batch.cost());
        Rc::new(batch)
    }

    /// Bytes of memory it takes, about.
    pub fn cost(&self) -> usize {
        self.bytes.len() + Self::OVERHEAD
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
        self.budget.used.set(self.budget.used.get() - self.cost());
    }
}
