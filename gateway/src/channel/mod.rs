//! Namespaces, permissions, positions, feeds: the no-loss logic. Sans-I/O.

mod options;
mod permissions;

pub use options::{ChannelOptions, Grant, Namespaces, SlowConsumer};
pub use permissions::{Act, Admission, Standing, admission, may};
