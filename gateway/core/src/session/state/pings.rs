//! Pings to the client, and its pongs.

use crate::{
    model::{Disconnect, Tick},
    session::{SessionConfig, close_reason::CloseReason},
};

/// When the next ping is due, and when the oldest unanswered ping has to be answered.
#[derive(Debug)]
pub(crate) struct PingTimer {
    next_ping: Tick,
    pong_deadline: Option<Tick>,
}

impl PingTimer {
    /// The first ping is due after this fraction (0 to 1) of the interval, so that the pings of many connections are spread over time.
    pub(crate) fn start(now: Tick, config: &SessionConfig, first_ping: f32) -> Self {
        Self { next_ping: now.after(config.ping_interval.mul_f32(first_ping.clamp(0.0, 1.0))), pong_deadline: None }
    }

    pub(crate) fn deadline(&self) -> Tick {
        self.pong_deadline.map_or(self.next_ping, |deadline| deadline.min(self.next_ping))
    }

    pub(crate) fn pong(&mut self) {
        self.pong_deadline = None;
    }

    /// Restarts the time for the pong. While the connection was not read, no pong could arrive.
    pub(crate) fn extend_pong_deadline(&mut self, now: Tick, config: &SessionConfig) {
        if let Some(deadline) = &mut self.pong_deadline {
            *deadline = (*deadline).max(now.after(config.pong_timeout));
        }
    }

    /// Whether a ping is due. Fails if an earlier ping was not answered in time, although the connection was read.
    pub(crate) fn check(&mut self, now: Tick, config: &SessionConfig, reading: bool) -> Result<bool, CloseReason> {
        if self.pong_deadline.is_some_and(|deadline| deadline <= now) {
            if reading {
                return Err(Disconnect::NoPong.into());
            }
            self.extend_pong_deadline(now, config);
        }
        if now < self.next_ping {
            return Ok(false);
        }
        self.next_ping = now.after(config.ping_interval);
        self.pong_deadline.get_or_insert(now.after(config.pong_timeout));
        Ok(true)
    }
}
