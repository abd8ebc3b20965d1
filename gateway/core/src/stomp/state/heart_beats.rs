//! Heart-beats in both directions (STOMP 1.2, "Heart-beating").

use crate::{model::Tick, protocol::stomp::HeartBeat};
use std::time::Duration;

/// From this interval on a client is asked before it counts as gone: the timers of a hidden page run once a minute.
const ASKED_FROM: Duration = Duration::from_secs(5);

/// In milliseconds.
const SECOND: u64 = 1000;

/// When this side has to send something, and when the client has to.
#[derive(Debug)]
pub(crate) struct HeartBeats {
    /// In milliseconds; 0: never.
    sends_every: u32,
    /// In milliseconds; 0: the client need not send.
    receives_every: u32,
    next_beat: Tick,
    received_at: Tick,
    /// The client has to answer the ping by this time.
    pong_deadline: Option<Tick>,
}

/// What is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) beat: bool,
    pub(crate) ping: bool,
    /// The client is gone.
    pub(crate) is_dead: bool,
}

impl HeartBeats {
    /// Begins with what both sides said in CONNECT and CONNECTED.
    pub(crate) fn begin(now: Tick, client: HeartBeat, server: HeartBeat) -> Self {
        let sends_every = server.interval_to(client).unwrap_or_default();
        let receives_every = client.interval_to(server).unwrap_or_default();
        let mut beats = Self { sends_every, receives_every, next_beat: now, received_at: now, pong_deadline: None };
        beats.next_beat = beats.beat_after(now);
        beats
    }

    /// When [`Self::check`] is due.
    pub(crate) fn deadline(&self) -> Option<Tick> {
        let beat = (self.sends_every > 0).then_some(self.next_beat);
        let silence = (self.receives_every > 0).then(|| self.pong_deadline.unwrap_or_else(|| self.silent_at()));
        [beat, silence].into_iter().flatten().min()
    }

    /// Something of the client arrived, or nothing could arrive because the connection was not read.
    pub(crate) fn received(&mut self, now: Tick) {
        self.received_at = now;
        self.pong_deadline = None;
    }

    /// What is due now. While the connection is not read, the client does not count as silent.
    pub(crate) fn check(&mut self, now: Tick, reading: bool, pong_timeout: Duration) -> Due {
        let mut due = Due::default();
        if self.sends_every > 0 && self.next_beat <= now {
            self.next_beat = self.beat_after(now);
            due.beat = true;
        }
        if self.receives_every == 0 {
            return due;
        }
        if !reading {
            self.received(now);
        }
        match self.pong_deadline {
            Some(deadline) => due.is_dead = deadline <= now,
            None if self.silent_at() > now => {}
            None if self.interval() < ASKED_FROM => due.is_dead = true,
            None => {
                self.pong_deadline = Some(now.after(pong_timeout));
                due.ping = true;
            }
        }
        due
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(self.receives_every.into())
    }

    /// Twice the interval, because a client may send late.
    fn silent_at(&self) -> Tick {
        self.received_at.after(2 * self.interval())
    }

    /// Early, because the beat takes time to arrive. And at a whole second: the timers of a worker fire then, and those for a time between fire late.
    fn beat_after(&self, now: Tick) -> Tick {
        let latest = now.after(Duration::from_millis(u64::from(self.sends_every) * 4 / 5));
        Tick((latest.0 / SECOND).max(now.0 / SECOND + 1) * SECOND)
    }
}
