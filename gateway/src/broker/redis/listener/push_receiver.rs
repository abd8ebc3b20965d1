//! What the task of a connection that subscribes tells those who use it.
//!
//! Answers to subscriptions come as pushes, between others that nobody asked for: a master that gives a slot away ends its subscriptions in the same words
//! in which it confirms. So answers are told apart by their names, and a fence tells that there will be no more of them.

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

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("it was closed")]
    Closed,
    #[error("{0}")]
    Failed(#[from] RedisError),
    #[error("an answer did not come in time")]
    Silent,
    #[error("Redis refused to subscribe: {0}. May the user of redis.url do that?")]
    Refused(String),
    #[error("it does not deliver any more: a canary was published and did not come back")]
    Deaf,
    #[error("the address leads to another Redis by now")]
    OrphanedPresence,
}

/// See the module.
pub(crate) struct PushReceiver {
    /// The connection is closed.
    pub(crate) ended: CancellationToken,
    /// The number of the last canary that came back.
    pub(crate) heard: watch::Sender<u64>,
    /// Where the canary is listened for.
    pub(crate) canary: watch::Sender<Option<String>>,
    /// The number of the last fence that came back.
    sync_marker: watch::Sender<u64>,
    /// What was confirmed since the last fence was sent.
    confirmed: Mutex<HashSet<String>>,
}

impl PushReceiver {
    pub(crate) fn new() -> Self {
        Self {
            ended: CancellationToken::new(),
            heard: watch::Sender::new(0),
            canary: watch::Sender::new(None),
            sync_marker: watch::Sender::new(0),
            confirmed: Mutex::default(),
        }
    }

    /// The number of the next fence; what is confirmed until it comes back is known by [`Self::passed`].
    pub(crate) fn next_sync_marker(&self) -> u64 {
        lock(&self.confirmed).clear();
        *self.sync_marker.borrow() + 1
    }

    /// Resolves when that fence came back, with what was confirmed meanwhile.
    pub(crate) async fn passed(&self, sync_marker: u64) -> Result<HashSet<String>, Broken> {
        let mut passed = self.sync_marker.subscribe();
        tokio::select! {
            () = self.ended.cancelled() => Err(Broken::Closed),
            // It cannot fail: the sender is here.
            _ = passed.wait_for(|passed| *passed >= sync_marker) => Ok(std::mem::take(&mut *lock(&self.confirmed))),
        }
    }

    /// What the connection does with what comes, on its own task.
    pub(crate) fn taker(
        self: Arc<Self>,
        at: Master,
        keys: Keys,
        subscriptions: Arc<Subscriptions>,
        masters: Arc<Masters>,
    ) -> impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static {
        move |push| {
            match ReceivedPush::of(&push) {
                Some(ReceivedPush::Message(lane, message)) if keys.is_canary(lane) => {
                    let number = std::str::from_utf8(message).ok().and_then(|number| number.parse().ok());
                    self.heard.send_replace(number.unwrap_or(0));
                }
                Some(ReceivedPush::Message(lane, message)) => subscriptions.deliver(at, lane, message),
                Some(ReceivedPush::Subscribed(lane)) => {
                    lock(&self.confirmed).insert(lane.to_owned());
                }
                Some(ReceivedPush::Unsubscribed(lane)) => {
                    if let Some(number) = keys.sync_marker_number(lane) {
                        self.sync_marker.send_replace(number);
                        return Ok(());
                    }
                    lock(&self.confirmed).remove(lane);
                    if subscriptions.ended(at, lane) || keys.is_canary(lane.as_bytes()) {
                        masters.doubt();
                    }
                }
                Some(ReceivedPush::End) => self.ended.cancel(),
                None => {}
            }
            Ok(())
        }
    }
}
