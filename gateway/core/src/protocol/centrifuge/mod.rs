//! The JSON form of the Centrifuge client protocol, version 2.
//!
//! A WebSocket text message holds one or several objects, one a line. `decode` turns what a frontend sends into commands; `encode` writes
//! replies and pushes, each as one line without its line break. What the official SDKs send and accept decides; the message definitions are
//! in `client.proto` of <https://github.com/centrifugal/protocol>.

mod bad_frame;
mod decode;
mod encode;
mod json;
mod wire;

#[cfg(test)]
mod tests;

pub use bad_frame::BadFrame;
pub use decode::{Commands, decode};
pub use encode::{encode_publication, encode_push, encode_reply};
