//! What clients and the gateway send each other: the WebSocket frames and the Centrifuge client protocol in JSON. What a message causes is decided in
//! `session`.
//!
//! `command` and `reply` are the messages as the session knows them. [`centrifuge`] reads and writes them as JSON. [`websocket`] reads and writes
//! the frames that carry the JSON.

pub mod centrifuge;
mod command;
pub mod fossil;
mod reply;
pub mod websocket;

pub use command::{Command, ConnectRequest, HistoryRequest, Request, SubscribeRequest};
pub use reply::{Connected, Push, Reply, Subscribed};
