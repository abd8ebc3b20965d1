//! Version 2 of the Centrifuge client protocol, in JSON and in Protobuf.
//!
//! `client.proto` of <https://github.com/centrifugal/protocol> defines the messages. Where the official SDKs differ from it, the gateway
//! follows the SDKs.
//!
//! - [`codec`]: JSON and Protobuf; [`json`], [`protobuf`]: how each reads commands and writes fields; [`encoding`]: what carries the messages
//! - [`encode`]: the replies and pushes, described once for all encodings; [`fields`]: their names and numbers; [`writer`]: the interface
//!   between both
//! - [`request`]: from the fields of a command to a request; `testing`: reads replies, for tests

mod bad_frame;
mod codec;
mod emulation;
mod encode;
mod encoding;
mod fields;
mod json;
mod protobuf;
mod request;
mod writer;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use bad_frame::BadFrame;
pub use codec::{Codec, Commands, Payload};
pub use emulation::EmulationRequest;
pub use encode::{DataForm, PushChannel, deltas};
pub use encoding::Encoding;
