//! Bounds of a lane.

use std::time::Duration;

/// Bounds of a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneLimits {
    /// Maximum of commands that wait. Further ones wait for room until their deadline. With several masters, commands of unusable masters
    /// may fill half of the
    /// queue together; further ones for them fail at once.
    pub(crate) queue: usize,
    /// Maximum of commands in a batch.
    pub(crate) batch: usize,
    /// The time that a command may take, from the call to its answer.
    pub(crate) deadline: Duration,
}
