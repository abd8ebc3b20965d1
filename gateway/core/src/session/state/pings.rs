//! Pings to the client, and its pongs.

use crate::{
    model::{Disconnect, Tick},
    protocol::Push,
    session::{Action, PingForm, SessionConfig, SessionStart, close_reason::CloseReason},
};

/// When the next ping is due, and when the oldest unanswered ping has to be answered.
#[derive(Debug)]
pub(crate) struct PingTimer {
    next_ping: Tick,
    pong_deadline: Option<Tick>,
    form: PingForm,
}

impl PingTimer {
    pub(crate) fn start(now: Tick, config: &SessionConfig, SessionStart { first_ping, ping_form, .. }: SessionStart) -> Self {
        let next_ping = now.after(ping_form.interval(config).mul_f32(first_ping.clamp(0.0, 1.0)));
        Self { next_ping, pong_deadline: None, form: ping_form }
    }

    pub(crate) fn deadline(&self) -> Tick {
        self.pong_deadline.map_or(self.next_ping, |deadline| deadline.min(self.next_ping))
    }

    /// A pong arrived. One of the other form answers no ping.
    pub(crate) fn pong(&mut self, form: PingForm) {
        if form == self.form {
            self.pong_deadline = None;
        }
    }

    /// Restarts the time for the pong. While the connection was not read, no pong could arrive.
    pub(crate) fn extend_pong_deadline(&mut self, now: Tick, config: &SessionConfig) {
        if let Some(deadline) = &mut self.pong_deadline {
            *deadline = (*deadline).max(now.after(config.pong_timeout));
        }
    }

    /// The ping that is due. Fails if an earlier ping was not answered in time, although the connection was read.
    pub(crate) fn check(&mut self, now: Tick, config: &SessionConfig, reading: bool) -> Result<Option<Action>, CloseReason> {
        if self.pong_deadline.is_some_and(|deadline| deadline <= now) {
            if reading {
                return Err(Disconnect::NoPong.into());
            }
            self.extend_pong_deadline(now, config);
        }
        if now < self.next_ping {
            return Ok(None);
        }
        self.next_ping = now.after(self.form.interval(config));
        if self.form.has_pong() {
            self.pong_deadline.get_or_insert(now.after(config.pong_timeout));
        }
        Ok(Some(if self.form.is_message() { Action::Push(Push::Ping) } else { Action::ControlPing }))
    }
}
