//! The logic of channels: namespaces, permissions, recovery and the detection of gaps. No I/O; what a connection does with a channel is in
//! `session`.

mod capabilities;
pub mod feed;
mod gap_buffer;
mod glob;
mod named_users;
mod options;
mod permissions;
mod producers;
pub mod recovery;
mod tags_filter;

pub use capabilities::{Capabilities, Capability, InvalidCapabilities};
pub use gap_buffer::GapBufferBudget;
pub use glob::Glob;
pub use named_users::InvalidUsers;
pub use options::{
    AllowedData, ChannelOptions, DeltaOption, Grant, Guard, Namespaces, NoSuchChannel, SlowConsumer, Unrecoverable, WhenAway,
};
pub use permissions::{Permission, Requester, SubscribeAccess, SubscriptionStatus, is_permitted, may_stay, subscribe_access};
pub use producers::{Judgement, Producers};
pub use tags_filter::{FilterNode, InvalidFilter, TagsFilter};
