//! Words of the domain: names, ids, positions, publications. A leaf that every module may use.

mod command;
mod history;
mod id;
mod lock;
mod name;
mod position;
mod presence;
mod publication;
mod recovery;
mod rendezvous;
mod revocation;
mod side;
mod time;
mod worker;

pub use command::{CommandTarget, ServerCommand};
pub use history::{Age, Page, PageLimit, Retention, Span};
pub use id::ConnectionId;
pub use lock::lock;
pub use name::{ChannelName, InvalidName, ServiceName, UserId};
pub use position::{Epoch, Position};
pub use presence::PresenceStats;
pub use publication::{ClientInfo, Data, InvalidData, Publication, Tags};
pub use recovery::{RecoverFrom, Recovery};
pub use rendezvous::rendezvous;
pub use revocation::Revocation;
pub use shared_proto::errors::{Disconnect, ErrorCode, Retry, Unsubscribe};
pub use side::Side;
pub use time::Tick;
pub use worker::{WorkerId, WorkerSet};

/// An error for a frontend or a service: the table's code and what to do about it in this case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// Row of the error table.
    pub code: ErrorCode,
    /// What happened and what to do.
    pub detail: String,
}

impl Refusal {
    /// A refusal with words of its own.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.row().doc)
    }
}
