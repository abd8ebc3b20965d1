//! The value types that all other modules share: names, ids, positions, publications, errors. What decides or does something is elsewhere.

mod command;
mod content;
mod history;
mod id;
mod lock;
mod name;
mod position;
mod presence;
mod publication;
mod recovery;
mod refusal;
mod rendezvous;
mod revocation;
mod side;
mod time;
mod transitions;
mod worker;

pub use command::{CommandTarget, ServerCommand};
pub use content::{CONTENT_TYPE, Content, ENCODING};
pub use history::{Freshness, Page, PageLimit, ReadRange, Retention};
pub use id::ConnectionId;
pub use lock::lock;
pub use name::{ChannelName, InvalidName, ServiceName, UserId};
pub use position::{Epoch, Position};
pub use presence::PresenceStats;
pub use publication::{ClientInfo, Data, InvalidData, Publication, Tags};
pub use recovery::{RecoverFrom, Recovery};
pub use refusal::Refusal;
pub use rendezvous::rendezvous_score;
pub use revocation::Revocation;
pub use shared_proto::errors::{Disconnect, ErrorCode, Retry, Unsubscribe};
pub use side::SubscriptionSide;
pub use time::Tick;
pub use transitions::{Transition, Transitions, UnlistedTransition};
pub use worker::{WorkerId, WorkerSet};
