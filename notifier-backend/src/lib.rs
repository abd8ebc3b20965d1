//! Takes notifications over REST, keeps them in a durable outbox, and pushes them through Switchboard.
//!
//! - [`api`]: the REST interface for callers
//! - [`notification`]: the notification, as callers send it and as frontends receive it
//! - [`outbox`]: stores accepted notifications on disk
//! - [`delivery`]: delivers from the outbox to the gateway
//! - [`settings`], [`run`]: the process

pub mod api;
pub mod delivery;
pub mod notification;
pub mod outbox;
pub mod run;
pub mod settings;
