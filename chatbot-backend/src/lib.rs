//! A chat bot that talks to frontends through Switchboard.
//!
//! - [`service`]: the calls that frontends make
//! - [`responder`]: decides what the bot answers
//! - [`stream`]: streams an answer in parts; [`active_streams`]: the streams that this instance is writing
//! - [`abandoned_streams`]: ends streams whose writer died
//! - [`channel_io`], [`entry_publication`]: read and write channels
//! - [`conversation`], [`timestamp`]: the entries of these channels
//! - [`settings`], [`run`]: the process

pub mod abandoned_streams;
pub mod active_streams;
pub mod channel_io;
pub mod conversation;
pub mod entry_publication;
pub mod responder;
pub mod run;
pub mod service;
pub mod settings;
pub mod stream;
pub mod timestamp;
