//! Why links end.

use super::super::counters::Count;
use gateway_core::model::{ErrorCode, Refusal};
use std::fmt;

/// Close code and reason (at most 123 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// RFC 6455 section 7.4.
    pub code: u16,
    /// For the developer of the service.
    pub reason: String,
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The instance closed it.
    ClosedByInstance,
    /// The transport broke.
    Lost,
    /// The peer sent no frame for two heartbeats.
    HeartbeatTimeout,
    /// `hello` did not arrive in time.
    NoHello,
    /// The peer sent a malformed frame.
    Malformed(Refusal),
    /// The peer sent a message above the limit.
    TooLarge(usize),
    /// The instance is not allowed to have a link.
    Refused(Refusal),
    /// Its API key was removed, or may no longer open links of the service.
    KeyRemoved(Refusal),
    /// The instance opened another link.
    Replaced,
    /// The node stops.
    Stopped,
}

impl Ending {
    /// The content of the `error` frame for the peer.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::ClosedByInstance | Self::Lost | Self::HeartbeatTimeout | Self::Replaced | Self::Stopped => None,
            Self::NoHello => Some(Refusal::new(ErrorCode::BadRequest, "hello did not arrive in time. Send hello first.")),
            Self::Malformed(refusal) | Self::Refused(refusal) | Self::KeyRemoved(refusal) => Some(refusal.clone()),
            Self::TooLarge(limit) => {
                let detail = format!("The message is larger than {limit} bytes, the limit in welcome.");
                Some(Refusal::new(ErrorCode::PayloadTooLarge, detail))
            }
        }
    }

    /// The close frame for the peer.
    pub(super) fn close_frame(&self) -> CloseFrame {
        let code = match self {
            Self::ClosedByInstance => 1000,
            Self::Lost | Self::Stopped => 1001,
            Self::TooLarge(_) => 1009,
            Self::Refused(refusal) if refusal.code.temporary() => 1013,
            Self::HeartbeatTimeout | Self::NoHello | Self::Malformed(_) | Self::Refused(_) | Self::KeyRemoved(_) | Self::Replaced => 1008,
        };
        let mut reason = self.to_string();
        while reason.len() > 123 {
            reason.pop();
        }
        CloseFrame { code, reason }
    }

    pub(super) fn count(&self) -> Count {
        match self {
            Self::ClosedByInstance => Count::LinkClosed,
            Self::Lost => Count::LinkLost,
            Self::HeartbeatTimeout => Count::LinkHeartbeatTimeout,
            Self::NoHello | Self::Malformed(_) | Self::TooLarge(_) | Self::Refused(_) => Count::LinkRefused,
            Self::KeyRemoved(_) => Count::LinkKeyRemoved,
            Self::Replaced => Count::LinkReplaced,
            Self::Stopped => Count::LinkStopped,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedByInstance => f.write_str("closed by the instance"),
            Self::Lost => f.write_str("connection lost"),
            Self::HeartbeatTimeout => f.write_str("no frame for two heartbeats"),
            Self::NoHello => f.write_str("no hello in time"),
            Self::Malformed(refusal) | Self::Refused(refusal) | Self::KeyRemoved(refusal) => f.write_str(&refusal.detail),
            Self::TooLarge(limit) => write!(f, "message larger than {limit} bytes"),
            Self::Replaced => f.write_str("replaced by another link of the same instance"),
            Self::Stopped => f.write_str("node stops"),
        }
    }
}
