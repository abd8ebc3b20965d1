//! The processes of the services that take events out of queues.
//!
//! - [`start`]: starts them, again and again; [`work`]: what they do with an event
//! - [`link_instance`], [`webhook_target`], [`stream_consumer`]: how they get events

mod link_instance;
mod start;
mod stream_consumer;
mod webhook_target;
mod work;

pub(crate) use start::start_consumers;
pub(crate) use work::read;
