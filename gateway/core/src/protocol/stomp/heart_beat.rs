//! Heart-beats (STOMP 1.2, "Heart-beating").

use super::BadFrame;

/// The `heart-beat` header of one side, in milliseconds. 0 stands for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartBeat {
    /// The side can send something at least this often.
    pub sends: u32,
    /// The side wants to receive something this often.
    pub wants: u32,
}

impl HeartBeat {
    /// Shortest and longest interval that the gateway offers, in milliseconds.
    pub const BOUNDS: (u32, u32) = (1000, 60_000);

    /// Reads the header of a CONNECT frame. Without the header there are no heart-beats. Numbers above `u32::MAX` are cut to it.
    pub fn parse(header: Option<&str>) -> Result<Self, BadFrame> {
        let Some(header) = header else { return Ok(Self::default()) };
        let (sends, wants) = header.split_once(',').ok_or(BadFrame::BadHeartBeat)?;
        Ok(Self { sends: milliseconds(sends)?, wants: milliseconds(wants)? })
    }

    /// What the gateway answers to a client: it sends what the client wants, and wants what the client sends, within [`Self::BOUNDS`].
    #[must_use]
    pub fn answer(self) -> Self {
        let within = |interval: u32| if interval == 0 { 0 } else { interval.clamp(Self::BOUNDS.0, Self::BOUNDS.1) };
        Self { sends: within(self.wants), wants: within(self.sends) }
    }

    /// How often this side has to send something to the other side, in milliseconds. `None`: it need not.
    pub fn interval_to(self, other: Self) -> Option<u32> {
        (self.sends != 0 && other.wants != 0).then(|| self.sends.max(other.wants))
    }
}

impl std::fmt::Display for HeartBeat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{}", self.sends, self.wants)
    }
}

fn milliseconds(number: &str) -> Result<u32, BadFrame> {
    let number = number.trim_ascii();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadFrame::BadHeartBeat);
    }
    // All digits: only a number that is too large fails.
    Ok(number.parse().unwrap_or(u32::MAX))
}
