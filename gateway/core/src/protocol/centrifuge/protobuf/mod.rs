//! Protobuf: a binary frame contains one or several messages, each after its length as a varint.
//!
//! - [`decode`]: bytes to commands; [`messages`]: the commands as prost types; [`writer`]: messages of replies and pushes

mod decode;
mod messages;
#[cfg(test)]
mod tests;
mod writer;

#[cfg(any(test, feature = "testing"))]
pub(super) use decode::split_message;
pub(super) use decode::{Commands, decode};
pub(super) use writer::append_message;
