//! Negative controls: deliberate defects that prove that the checks can fail.

use clap::ValueEnum;

/// A deliberate defect that the checks must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Control {
    /// Each gateway has its own memory broker.
    Memory,
    /// The subscribers ignore one delivery in a thousand.
    Drop,
    /// The consumers of queues acknowledge one event in a hundred without processing it.
    Forget,
}
