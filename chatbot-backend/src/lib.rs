//! A chat bot that talks to frontends through Switchboard.
//!
//! - [`service`]: the calls that frontends make
//! - [`brain`]: what the bot thinks
//! - [`stream`]: an answer on its way, in parts
//! - [`sweep`]: streams whose speaker died
//! - [`desk`]: what the bot writes into channels and reads from them
//! - [`conversation`]: what stands in those channels
//! - [`settings`], [`run`]: the process

pub mod brain;
pub mod conversation;
pub mod desk;
pub mod run;
pub mod service;
pub mod settings;
pub mod stream;
pub mod sweep;
