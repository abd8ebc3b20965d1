//! The worker threads of a node.

/// The index of a worker thread. The index after the last worker stands for the node itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorkerId(u8);

impl WorkerId {
    /// Most workers that a node may have.
    pub const MAX: usize = 63;

    /// The first worker, which every node has.
    pub const FIRST: Self = Self(0);

    /// The worker with this index. `None` above [`Self::MAX`].
    pub fn new(index: usize) -> Option<Self> {
        (index <= Self::MAX).then_some(Self(index as u8))
    }

    /// The index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A set of workers of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerSet(u64);

impl WorkerSet {
    /// Adds a worker; false if it was in the set.
    pub fn insert(&mut self, worker: WorkerId) -> bool {
        let before = self.0;
        self.0 |= 1 << worker.0;
        before != self.0
    }

    /// Removes a worker; false if it was not in the set.
    pub fn remove(&mut self, worker: WorkerId) -> bool {
        let before = self.0;
        self.0 &= !(1 << worker.0);
        before != self.0
    }

    /// Whether the worker is in the set.
    pub fn contains(self, worker: WorkerId) -> bool {
        self.0 & (1 << worker.0) != 0
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The workers in the set, by index.
    pub fn iter(self) -> impl Iterator<Item = WorkerId> {
        (0..Self::BITS).filter(move |i| self.0 & (1 << i) != 0).map(|i| WorkerId(i as u8))
    }

    const BITS: u32 = u64::BITS;
}
