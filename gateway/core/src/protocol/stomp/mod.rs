//! The frames of STOMP 1.0, 1.1 and 1.2 over WebSocket messages, as a server reads and writes them (<https://stomp.github.io>). Pure: what a
//! frame causes is decided elsewhere.
//!
//! | part | what |
//! |---|---|
//! | [`Version`], [`sub_protocol`], [`HeartBeat`] | what both sides agree on |
//! | [`Parser`] | reads [`Frame`]s from a stream of bytes, within limits; [`BadFrame`] says what is wrong |
//! | [`MessageForm`], [`MessageTemplate`] | write a publication for many connections |
//! | [`ServerFrame`], [`append_server_frame`] | what goes to one connection |
//! | [`Framing`], [`sockjs`] | how WebSocket messages carry frames |
//! | `escape`, `wire` | the escapes of headers; what all frames of a server have in common |
//! | `testing` | reads frames of a server, for tests |

mod bad_frame;
mod escape;
mod frame;
mod heart_beat;
mod message;
mod parser;
mod server_frame;
pub mod sockjs;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod version;
mod wire;

pub use bad_frame::BadFrame;
pub use frame::{ClientCommand, Frame, Headers};
pub use heart_beat::HeartBeat;
pub use message::{MessageForm, MessageSubscription, MessageTemplate, is_reserved};
pub use parser::{Parser, ParserLimits};
pub use server_frame::{ServerFrame, append_heart_beat, append_server_frame};
pub use sockjs::unwrap as sockjs_unwrap;
pub use version::{UnsupportedVersions, Version, sub_protocol};
pub use wire::Framing;
