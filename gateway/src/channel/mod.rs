//! Namespaces, permissions, positions, feeds: the no-loss logic. Sans-I/O.

mod from_settings;
mod options;

pub use options::{ChannelOptions, Grant, Namespaces, SlowConsumer};
