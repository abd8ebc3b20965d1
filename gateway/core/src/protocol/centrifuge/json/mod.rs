//! JSON: a text frame contains one or several JSON objects, one per line.
//!
//! - [`decode`]: lines to commands; [`wire`]: the objects as serde types; [`writer`]: objects of replies and pushes

mod decode;
#[cfg(test)]
mod tests;
mod wire;
mod writer;

pub(super) use decode::{Commands, decode};
pub(super) use writer::append_message;
