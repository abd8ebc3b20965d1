//! What the owner of a partition asks of the store and of the publisher.

use super::chains::ChainName;
use crate::{
    broker::Published,
    publish::{Draft, EntryError, Publisher},
    queues::{HeldLease, Owned, OwnedError, QueueStore},
};
use futures_util::future::{BoxFuture, ready};
use gateway_core::queue::{DeadLetter, DeadLettered, DeadReason, EntryId, EntryPlace, RawEntry, ReadLimits};
use std::time::Duration;
use tokio::time::sleep;

/// The pause after the store failed.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// The part of the stream that is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What owners before this one had read.
    Pending(Option<EntryId>),
    /// What no owner has read, and what this owner read without an answer.
    New,
}

/// A request that has ended.
pub(super) enum Event<'a> {
    Read(Owned<Vec<RawEntry>>),
    /// The publications were handed over. Their answers follow.
    HandedOver(Vec<BoxFuture<'a, Event<'a>>>),
    Answered(ChainName, EntryId, Result<Published, EntryError>),
    DeadLettered(ChainName, EntryId, DeadReason, Owned<DeadLettered>),
    Acknowledged(Vec<EntryId>, Owned<()>),
}

/// Reads entries. If there are no new ones, waits until there are perhaps.
pub(super) async fn read<'a, S: QueueStore>(
    store: &'a S,
    held_lease: &'a HeldLease<S>,
    part: Part,
    newest: Option<EntryId>,
    limits: ReadLimits,
) -> Event<'a> {
    let (partition, owner) = (held_lease.partition(), held_lease.owner());
    let read = match part {
        Part::Pending(after) => store.pending(partition, owner, after, limits).await,
        Part::New => store.read_new(partition, owner, limits).await,
    };
    if part == Part::New && read.as_ref().is_ok_and(Vec::is_empty) {
        store.arrival(partition, newest.unwrap_or_default()).await;
    }
    pause_after_failure(&read).await;
    Event::Read(read)
}

/// Acknowledges entries.
pub(super) async fn acknowledge<'a, S: QueueStore>(store: &'a S, held_lease: &'a HeldLease<S>, ids: Vec<EntryId>) -> Event<'a> {
    let acknowledged = store.acknowledge(held_lease.partition(), held_lease.owner(), &ids).await;
    pause_after_failure(&acknowledged).await;
    Event::Acknowledged(ids, acknowledged)
}

/// Makes an entry a dead letter.
pub(super) async fn move_to_dead_letters<'a, S: QueueStore>(
    store: &'a S,
    held_lease: &'a HeldLease<S>,
    chain: ChainName,
    letter: DeadLetter,
) -> Event<'a> {
    let dead_lettered = store.move_to_dead_letters(held_lease.partition(), held_lease.owner(), &letter).await;
    Event::DeadLettered(chain, letter.id, letter.reason, dead_lettered)
}

/// Hands publications over, in order.
pub(super) async fn hand_over<'a, S: QueueStore>(
    publisher: &'a Publisher,
    held_lease: &'a HeldLease<S>,
    publications: Vec<(ChainName, EntryId, Draft, Option<EntryId>)>,
) -> Event<'a> {
    let mut answers: Vec<BoxFuture<'a, Event<'a>>> = Vec::with_capacity(publications.len());
    for (chain, entry, draft, after) in publications {
        let place = EntryPlace { partition: held_lease.partition().partition, epoch: held_lease.epoch(), entry, after };
        // NL-8.5
        let handed_over = if held_lease.is_valid() {
            publisher.hand_over_entry(draft, place).await
        } else {
            Err(EntryError::Later { is_uncertain: false })
        };
        answers.push(match handed_over {
            Ok(answer) => Box::pin(async move { Event::Answered(chain, entry, answer.await) }),
            Err(error) => Box::pin(ready(Event::Answered(chain, entry, Err(error)))),
        });
    }
    Event::HandedOver(answers)
}

/// Keeps requests that fail at once from being repeated at once.
async fn pause_after_failure<T>(result: &Owned<T>) {
    if matches!(result, Err(OwnedError::Broker(_))) {
        sleep(STORE_PAUSE).await;
    }
}
