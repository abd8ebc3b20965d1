//! Why links end.

use super::super::counters::Count;
use gateway_core::model::{ErrorCode, Refusal};
use std::fmt;

/// Close code and reason (at most 123 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// RFC 6455 section 7.4.
    pub code: u16,
    /// For the developer.
    pub reason: String,
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The instance closed it.
    Left,
    /// The transport broke.
    Lost,
    /// Nothing came for two heartbeats.
    Silent,
    /// No `hello` came in time.
    NoHello,
    /// A frame that is not one.
    Malformed(Refusal),
    /// A message over the limit.
    TooLarge(usize),
    /// The instance may not have a link.
    Refused(Refusal),
    /// The instance opened another one.
    Replaced,
    /// The node stops.
    Stopped,
}

impl Ending {
    /// What the peer is told in an `error` frame.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Left | Self::Lost | Self::Silent | Self::Replaced | Self::Stopped => None,
            Self::NoHello => Some(Refusal::new(ErrorCode::BadRequest, "No hello came in time. Send it first.")),
            Self::Malformed(refusal) | Self::Refused(refusal) => Some(refusal.clone()),
            Self::TooLarge(limit) => {
                let detail = format!("The message is larger than {limit} bytes, the limit that welcome tells.");
                Some(Refusal::new(ErrorCode::PayloadTooLarge, detail))
            }
        }
    }

    /// The close frame that ends it.
    pub(super) fn close_frame(&self) -> CloseFrame {
        let code = match self {
            Self::Left => 1000,
            Self::Lost | Self::Stopped => 1001,
            Self::TooLarge(_) => 1009,
            Self::Refused(refusal) if refusal.code.temporary() => 1013,
            Self::Silent | Self::NoHello | Self::Malformed(_) | Self::Refused(_) | Self::Replaced => 1008,
        };
        let mut reason = self.to_string();
        while reason.len() > 123 {
            reason.pop();
        }
        CloseFrame { code, reason }
    }

    pub(super) fn count(&self) -> Count {
        match self {
            Self::Left => Count::LinkLeft,
            Self::Lost => Count::LinkLost,
            Self::Silent => Count::LinkSilent,
            Self::NoHello | Self::Malformed(_) | Self::TooLarge(_) | Self::Refused(_) => Count::LinkRefused,
            Self::Replaced => Count::LinkReplaced,
            Self::Stopped => Count::LinkStopped,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("closed by the instance"),
            Self::Lost => f.write_str("connection lost"),
            Self::Silent => f.write_str("silent for two heartbeats"),
            Self::NoHello => f.write_str("no hello in time"),
            Self::Malformed(refusal) | Self::Refused(refusal) => f.write_str(&refusal.detail),
            Self::TooLarge(limit) => write!(f, "message larger than {limit} bytes"),
            Self::Replaced => f.write_str("replaced by another link of the same instance"),
            Self::Stopped => f.write_str("node stops"),
        }
    }
}
