//! The logic of channels: namespaces, permissions, recovery and the detection of gaps. No I/O; what a connection does with a channel is in
//! `session`.

pub mod feed;
mod gap_buffer;
mod options;
mod permissions;
mod producers;
pub mod recovery;
mod tags_filter;

pub use gap_buffer::GapBufferBudget;
pub use options::{AllowedData, ChannelOptions, DeltaOption, Grant, Guard, Namespaces, SlowConsumer, Unrecoverable, WhenAway};
pub use permissions::{Permission, SubscribeAccess, SubscriptionStatus, is_permitted, subscribe_access};
pub use producers::{Judgement, Producers};
pub use tags_filter::{FilterNode, InvalidFilter, TagsFilter};
