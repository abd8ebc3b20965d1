//! Namespaces, permissions, positions, feeds: the no-loss logic. Sans-I/O.

mod options;

pub use options::{ChannelOptions, Grant, Namespaces, SlowConsumer};
