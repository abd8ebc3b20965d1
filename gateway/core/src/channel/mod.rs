//! Namespaces, permissions, positions, feeds: the no-loss logic. Sans-I/O.

pub mod feed;
mod hold;
mod options;
mod permissions;
pub mod recovery;

pub use hold::HoldRoom;
pub use options::{ChannelOptions, Grant, Namespaces, SlowConsumer};
pub use permissions::{Act, Admission, Standing, admission, may};
