//! What clients and the gateway send each other: the WebSocket frames, the Centrifuge client protocol and STOMP. What a message causes is decided in
//! `session`.
//!
//! `command` and `reply` are the messages as the session knows them. [`centrifuge`] reads and writes them. [`stomp`] has the frames of STOMP. [`websocket`] has
//! the frames that carry both.

pub mod centrifuge;
mod command;
pub mod event_stream;
pub mod fossil;
mod reply;
pub mod stomp;
pub mod websocket;

pub use command::{Command, ConnectRequest, HistoryRequest, Request, SubscribeRequest};
pub use reply::{Connected, Push, Reply, Subscribed};
