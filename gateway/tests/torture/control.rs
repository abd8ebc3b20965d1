//! What is broken on purpose, to show that the checker finds it.

use clap::ValueEnum;

/// Something that the checker has to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Control {
    /// Each gateway has a memory broker of its own.
    Memory,
    /// One delivery in a thousand is left out, behind everything that could notice.
    Drop,
}
