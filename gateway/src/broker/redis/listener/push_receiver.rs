//! Receives the pushes of a subscriber connection.
//!
//! Messages and confirmations are both pushes. The push with which a master ends a subscription, because it gives up the slot, looks like
//! the confirmation of an unsubscribe. So the receiver does not count confirmations: it distinguishes pushes by the name of their pub/sub
//! channel. A sync marker proves that all earlier confirmations have arrived.

use crate::broker::redis::{
    schema::{keys::Keys, pubsub::ReceivedPush},
    servers::{masters::Masters, topology::Master},
    subscriptions::subscriptions::Subscriptions,
};
use gateway_core::model::lock;
use redis::{PushInfo, RedisError};
use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Why the task abandons a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("it was closed")]
    Closed,
    #[error("{0}")]
    Failed(#[from] RedisError),
    #[error("Redis did not confirm in time")]
    NoConfirmation,
    #[error("Redis refused to subscribe: {0}. Check the rights of the user of redis.url")]
    Refused(String),
    #[error("it no longer delivers: a canary did not return")]
    NotDelivering,
    #[error("the address leads to another Redis now")]
    ServerChanged,
}

/// The shared state of a subscriber connection and its task.
pub(crate) struct PushReceiver {
    /// Cancelled when the connection closes.
    pub(crate) closed: CancellationToken,
    /// The number of the newest canary that returned.
    pub(crate) returned_canary: watch::Sender<u64>,
    /// The subscribed pub/sub channel of the canary.
    pub(crate) canary: watch::Sender<Option<String>>,
    /// The number of the newest sync marker that returned.
    sync_marker: watch::Sender<u64>,
    /// Pub/sub channels whose subscription was confirmed since the last sync marker was sent.
    confirmed: Mutex<HashSet<String>>,
}

impl PushReceiver {
    pub(crate) fn new() -> Self {
        Self {
            closed: CancellationToken::new(),
            returned_canary: watch::Sender::new(0),
            canary: watch::Sender::new(None),
            sync_marker: watch::Sender::new(0),
            confirmed: Mutex::default(),
        }
    }

    /// The number of the next sync marker. Forgets earlier confirmations.
    pub(crate) fn next_sync_marker(&self) -> u64 {
        lock(&self.confirmed).clear();
        *self.sync_marker.borrow() + 1
    }

    /// Waits until the sync marker returns. Returns the pub/sub channels whose subscription was confirmed since [`Self::next_sync_marker`].
    pub(crate) async fn wait_for_marker(&self, sync_marker: u64) -> Result<HashSet<String>, Broken> {
        let mut passed = self.sync_marker.subscribe();
        tokio::select! {
            () = self.closed.cancelled() => Err(Broken::Closed),
            // This cannot fail, because `self` owns the sender.
            _ = passed.wait_for(|passed| *passed >= sync_marker) => Ok(std::mem::take(&mut *lock(&self.confirmed))),
        }
    }

    /// The function that handles pushes of the master `at`. The connection calls it on its own task.
    pub(crate) fn handler(
        self: Arc<Self>,
        at: Master,
        keys: Keys,
        subscriptions: Arc<Subscriptions>,
        masters: Arc<Masters>,
    ) -> impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static {
        move |push| {
            match ReceivedPush::of(&push) {
                Some(ReceivedPush::Message(name, message)) if keys.is_canary(name) => {
                    let number = std::str::from_utf8(message).ok().and_then(|number| number.parse().ok());
                    self.returned_canary.send_replace(number.unwrap_or(0));
                }
                Some(ReceivedPush::Message(name, message)) => subscriptions.deliver(at, name, message),
                Some(ReceivedPush::Subscribed(name)) => {
                    lock(&self.confirmed).insert(name.to_owned());
                }
                Some(ReceivedPush::Unsubscribed(name)) => {
                    if let Some(number) = keys.sync_marker_number(name) {
                        self.sync_marker.send_replace(number);
                        return Ok(());
                    }
                    lock(&self.confirmed).remove(name);
                    if subscriptions.ended(at, name) || keys.is_canary(name.as_bytes()) {
                        masters.request_refresh();
                    }
                }
                Some(ReceivedPush::Disconnected) => self.closed.cancel(),
                None => {}
            }
            Ok(())
        }
    }
}
