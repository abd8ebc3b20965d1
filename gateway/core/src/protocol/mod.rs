//! What clients and the gateway send each other: the WebSocket frames, the Centrifuge client protocol, STOMP and event streams. What a message causes is
//! decided in `session`.
//!
//! `command` and `reply` are the messages as the session knows them. [`centrifuge`] reads and writes them. [`stomp`] has the frames of STOMP,
//! [`event_stream`] the events of EventSource. A [`DeliveryForm`] says how a channel is written in those two. [`websocket`] has the frames that carry
//! Centrifuge and STOMP.

pub mod centrifuge;
mod command;
mod delivery_form;
pub mod event_stream;
pub mod fossil;
mod reply;
pub mod stomp;
pub mod websocket;

pub use command::{Command, ConnectRequest, HistoryRequest, Request, SubscribeRequest};
pub use delivery_form::{DeliveryForm, DeliveryTemplate};
pub use reply::{Connected, Push, Reply, Subscribed};
