//! Subscribers of every kind. They reconnect to any node after every fault, and go on from the position that they have.
//!
//! - [`kind`]: the kinds, and how frequent each is; [`activity`]: what the subscribers of a kind did
//! - [`sdk`]: behave like the official SDKs; [`stomp`]: speak STOMP; [`event_source`]: behave like browsers

pub(crate) mod activity;
mod event_source;
pub(crate) mod kind;
mod sdk;
mod stomp;

pub(crate) use event_source::EventSourceSubscriber;
pub(crate) use sdk::Subscriber;
pub(crate) use stomp::StompSubscriber;

use std::time::Duration;

/// A random pause whose maximum grows with the number of failures.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(rand::random_range(10..=(50 << failures.min(4))))
}
