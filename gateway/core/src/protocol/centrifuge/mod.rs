//! Version 2 of the Centrifuge client protocol in JSON. Protobuf is not supported.
//!
//! A WebSocket text message contains one or several JSON objects, one per line. `decode` reads the commands of a frontend. `encode` writes
//! replies and pushes, each as one line without a line break. `client.proto` of <https://github.com/centrifugal/protocol> defines the messages.
//! Where the official SDKs differ from it, the gateway follows the SDKs.

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
