//! The state that a STOMP connection keeps: subscriptions, commands in flight, subscriptions to retry, transactions, heart-beats. Nothing here writes frames.

pub(super) mod heart_beats;
pub(super) mod in_flight;
pub(super) mod retries;
pub(super) mod subscriptions;
pub(super) mod transactions;
