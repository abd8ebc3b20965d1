//! Keys of connections and channels within one hub.

use std::num::NonZeroU32;

/// Identifies a connection of this hub. A later connection at the same index has another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnKey {
    pub(super) index: u32,
    pub(super) generation: u32,
}

#[cfg(test)]
impl ConnKey {
    /// A key without a hub.
    pub(crate) fn for_tests(index: u32) -> Self {
        Self { index, generation: 0 }
    }
}

/// Identifies a channel within its hub. A later channel may reuse the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelKey(NonZeroU32);

impl ChannelKey {
    pub(super) fn new(index: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(index as u32))
    }

    pub(super) fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}
