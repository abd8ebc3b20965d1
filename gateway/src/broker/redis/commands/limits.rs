//! Bounds of a lane.

use std::time::Duration;

/// Bounds of a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneLimits {
    /// Commands that wait at most; who comes then waits for room until the deadline. Of several masters those that cannot be used have half of it at
    /// most, together, so that others go on; further commands for them fail.
    pub(crate) queue: usize,
    /// Commands that are sent together at most.
    pub(crate) batch: usize,
    /// For a command, from when it came to its answer.
    pub(crate) deadline: Duration,
}
