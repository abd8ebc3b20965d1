//! The JSON form of the Centrifuge client protocol.
//! Frames to commands, replies and pushes to frames. Sans-I/O.
//!
//! What a session speaks is in `command` and `reply`; [`centrifuge`] is its JSON form on the wire. [`websocket`] is RFC 6455's framing.

pub mod centrifuge;
mod command;
mod reply;
pub mod websocket;

pub use command::{Command, ConnectRequest, HistoryRequest, Request, SubscribeRequest};
pub use reply::{Connected, Push, Reply, Subscribed};
