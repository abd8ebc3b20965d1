//! What a session starts with, besides the settings.

use crate::model::WallClock;

/// The start of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionStart {
    /// The time of the start.
    pub clock: WallClock,
    /// When the first ping is due after the connect: a fraction (0 to 1) of the ping interval. A random fraction spreads the pings of many
    /// connections over time.
    pub first_ping: f32,
}
