//! Pings and pongs.

use super::{Rules, turn::Closing};
use crate::model::{Disconnect, Tick};

/// When the next ping goes out, and until when the oldest unanswered one may be answered.
#[derive(Debug)]
pub(super) struct Pulse {
    next_ping: Tick,
    pong_due: Option<Tick>,
}

impl Pulse {
    /// The first ping comes at `phase` (0 to 1) of the interval.
    pub(super) fn begin(now: Tick, rules: &Rules, phase: f32) -> Self {
        Self { next_ping: now.after(rules.ping_interval.mul_f32(phase.clamp(0.0, 1.0))), pong_due: None }
    }

    pub(super) fn deadline(&self) -> Tick {
        self.pong_due.map_or(self.next_ping, |due| due.min(self.next_ping))
    }

    pub(super) fn pong(&mut self) {
        self.pong_due = None;
    }

    /// The connection is read again after a pause in which no pong could be seen.
    pub(super) fn excuse(&mut self, now: Tick, rules: &Rules) {
        if let Some(due) = &mut self.pong_due {
            *due = (*due).max(now.after(rules.pong_timeout));
        }
    }

    /// Whether a ping is due. Fails if an earlier one was not answered, though the connection was being read.
    pub(super) fn check(&mut self, now: Tick, rules: &Rules, reading: bool) -> Result<bool, Closing> {
        if self.pong_due.is_some_and(|due| due <= now) {
            if reading {
                return Err(Disconnect::NoPong.into());
            }
            self.excuse(now, rules);
        }
        if now < self.next_ping {
            return Ok(false);
        }
        self.next_ping = now.after(rules.ping_interval);
        self.pong_due.get_or_insert(now.after(rules.pong_timeout));
        Ok(true)
    }
}
