//! Limits of a lane.

use std::time::Duration;

/// Limits of a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneLimits {
    /// Largest number of commands that wait. Further commands wait for room until their deadline. With several masters, commands for
    /// unusable masters may fill half of this number together; further commands for these masters fail at once.
    pub(crate) queue_commands: usize,
    /// Largest number of commands in a batch.
    pub(crate) batch_commands: usize,
    /// Longest time for a command, from its arrival to its answer.
    pub(crate) deadline: Duration,
}
