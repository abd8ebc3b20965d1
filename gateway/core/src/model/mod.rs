//! The value types that all other modules share: names, ids, positions, publications, errors. What decides or does something is elsewhere.

mod command;
mod content;
mod crc16;
mod data;
mod fingerprint;
mod history;
mod id;
mod json_pointer;
mod lock;
mod meta;
mod name;
mod position;
mod presence;
mod producer;
mod publication;
mod recovery;
mod refusal;
mod rendezvous;
mod revocation;
mod session_key;
mod side;
mod time;
mod transitions;
mod worker;

pub use command::{CommandTarget, ServerCommand};
pub use content::{CONTENT_TYPE, Content, ENCODING, QUEUE};
pub use crc16::crc16;
pub use data::{Data, InvalidData};
pub use fingerprint::Fingerprint;
pub use history::{Freshness, Page, PageLimit, ReadRange, Retention};
pub use id::ConnectionId;
pub use json_pointer::{InvalidPointer, JsonPointer, UnreadableJson, find_texts};
pub use lock::lock;
pub use meta::{Meta, MetaChange, MetaTooLong};
pub use name::{ChannelName, InvalidName, ServiceName, UserId};
pub use position::{Epoch, Position, Span};
pub use presence::PresenceStats;
pub use producer::ProducerNumber;
pub use publication::{ClientInfo, Publication, Tags};
pub use recovery::{RecoverFrom, Recovery};
pub use refusal::Refusal;
pub use rendezvous::rendezvous_score;
pub use revocation::{ClaimDigest, RevocableClaim, RevocableClaims, RevocableToken, Revocation, RevocationTarget};
pub use session_key::{InvalidSessionKey, SessionKey};
pub use shared_proto::{
    errors::{Disconnect, ErrorCode, Retry, Unsubscribe},
    secret::Secret,
};
pub use side::SubscriptionSide;
pub use time::{Tick, WallClock};
pub use transitions::{Transition, Transitions, UnlistedTransition};
pub use worker::{WorkerId, WorkerSet};
