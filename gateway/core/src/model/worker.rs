//! Worker threads of this node.

/// One worker thread by its index; or, behind those of the workers, the node itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorkerId(u8);

impl WorkerId {
    /// Workers that a node may have.
    pub const MAX: usize = 63;

    /// The one that every node has.
    pub const FIRST: Self = Self(0);

    /// The worker with this index; none beyond [`Self::MAX`].
    pub fn new(index: usize) -> Option<Self> {
        (index <= Self::MAX).then_some(Self(index as u8))
    }

    /// Its place among the node's workers.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Some of a node's workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerSet(u64);

impl WorkerSet {
    /// Adds one; false if it was there.
    pub fn insert(&mut self, worker: WorkerId) -> bool {
        let before = self.0;
        self.0 |= 1 << worker.0;
        before != self.0
    }

    /// Removes one; false if it was not there.
    pub fn remove(&mut self, worker: WorkerId) -> bool {
        let before = self.0;
        self.0 &= !(1 << worker.0);
        before != self.0
    }

    /// Whether it is there.
    pub fn contains(self, worker: WorkerId) -> bool {
        self.0 & (1 << worker.0) != 0
    }

    /// Whether none is.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All that are there.
    pub fn iter(self) -> impl Iterator<Item = WorkerId> {
        (0..Self::BITS).filter(move |i| self.0 & (1 << i) != 0).map(|i| WorkerId(i as u8))
    }

    const BITS: u32 = u64::BITS;
}
