//! What the scripts of queues answer.

use crate::broker::{
    BrokerError,
    redis::schema::answers::{text, unexpected_answer},
};
use bytes::Bytes;
use gateway_core::queue::{DeadLettered, DeadReason, Enqueued, EntryId, Field, PartitionStatus, RawEntry, StoredDeadLetter, StoredFields};
use redis::Value;
use std::str::FromStr;

/// What an owner learns with its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionLease {
    /// Grows with each new owner of the partition.
    pub epoch: u64,
    /// Whether deliveries are paused.
    pub paused: bool,
    /// The clock of Redis, in milliseconds since 1970.
    pub now_ms: u64,
}

/// One step of taking a partition over.
pub(super) struct Acquired {
    pub(super) lease: PartitionLease,
    /// The last entry that an owner has read.
    pub(super) last_read: EntryId,
    /// Where the takeover of pending entries goes on. None: it is over.
    pub(super) next: Option<String>,
}

/// Largest number of bytes of [`StoredDeadLetter::detail`].
const DETAIL_BYTES: usize = 1024;

/// The answer of a script that only the owner may run. None: the caller is not the owner.
pub(super) fn owned(answer: Value) -> Option<Value> {
    if answer == Value::Nil { None } else { Some(answer) }
}

pub(super) fn enqueued(answer: Value) -> Result<Enqueued, BrokerError> {
    let parts: Vec<_> = array(answer)?.into_iter().map_while(text).collect();
    match &parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["stored", id] => Ok(Enqueued::Stored(number(id)?)),
        ["repeated", id] => Ok(Enqueued::Repeated((*id).into())),
        ["mismatch"] => Err(BrokerError::IdempotencyMismatch),
        ["full", length] => Err(BrokerError::QueueFull { length: number(length)? }),
        _ => Err(unexpected_answer()),
    }
}

pub(super) fn replayed(answer: Value) -> Result<bool, BrokerError> {
    let parts: Vec<_> = array(answer)?.into_iter().map_while(text).collect();
    match &parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["replayed"] => Ok(true),
        ["unknown"] => Ok(false),
        ["full", length] => Err(BrokerError::QueueFull { length: number(length)? }),
        _ => Err(unexpected_answer()),
    }
}

pub(super) fn acquired(answer: Value) -> Result<Acquired, BrokerError> {
    let [epoch, paused, now_ms, last_read, next] = parts(answer)?;
    let next = text(next).ok_or_else(unexpected_answer)?;
    Ok(Acquired {
        lease: PartitionLease { epoch: parsed(epoch)?, paused: paused == Value::Int(1), now_ms: parsed(now_ms)? },
        last_read: parsed(last_read)?,
        next: Some(next).filter(|next| next != "0-0"),
    })
}

pub(super) fn renewed(answer: Value) -> Result<PartitionLease, BrokerError> {
    let [epoch, paused, now_ms] = parts(answer)?;
    Ok(PartitionLease { epoch: parsed(epoch)?, paused: paused == Value::Int(1), now_ms: parsed(now_ms)? })
}

/// Entries, and the last entry that the caller now knows.
pub(super) fn entries(answer: Value) -> Result<(Vec<RawEntry>, EntryId), BrokerError> {
    let [entries, last] = parts(answer)?;
    let entry = |entry| {
        let [id, tries, fields] = parts(entry)?;
        Ok(RawEntry { id: parsed(id)?, tries: parsed(tries)?, fields: stored_fields(fields)? })
    };
    Ok((array(entries)?.into_iter().map(entry).collect::<Result<_, _>>()?, parsed(last)?))
}

pub(super) fn dead_lettered(answer: Value) -> Result<DeadLettered, BrokerError> {
    match text(answer).as_deref() {
        Some("moved") => Ok(DeadLettered::Moved),
        Some("full") => Ok(DeadLettered::Full),
        _ => Err(unexpected_answer()),
    }
}

pub(super) fn dead_letters(answer: Value) -> Result<Vec<StoredDeadLetter>, BrokerError> {
    array(answer)?.into_iter().map(dead_letter).collect()
}

fn dead_letter(answer: Value) -> Result<StoredDeadLetter, BrokerError> {
    let [id, about, fields] = parts(answer)?;
    let (id, fields) = (parsed(id)?, stored_fields(fields)?);
    let about: Vec<_> = array(about)?.into_iter().map(|part| bytes(part).unwrap_or_default()).collect();
    let about: Vec<_> = about.iter().map(|part| String::from_utf8_lossy(part)).collect();
    let [entry, reason, tries, detail] = &about[..] else {
        return Ok(StoredDeadLetter { id, entry: id, reason: None, detail: Box::default(), tries: 0, fields });
    };
    Ok(StoredDeadLetter {
        id,
        entry: entry.parse().unwrap_or(id),
        reason: DeadReason::by_name(reason),
        detail: short_detail(detail).into(),
        tries: tries.parse().unwrap_or(0),
        fields,
    })
}

pub(super) fn status(answer: Value) -> Result<PartitionStatus, BrokerError> {
    let [depth, read, dead, paused, now_ms, oldest, owner] = parts(answer)?;
    let oldest = text(oldest).filter(|oldest| !oldest.is_empty());
    Ok(PartitionStatus {
        depth: parsed(depth)?,
        read: parsed(read)?,
        oldest: oldest.map(|oldest| number(&oldest)).transpose()?,
        dead: parsed(dead)?,
        owner: text(owner).filter(|owner| !owner.is_empty()).map(Into::into),
        paused: paused == Value::Int(1),
        now_ms: parsed(now_ms)?,
    })
}

/// A whole number that is not negative.
pub(super) fn count(answer: Value) -> Result<u64, BrokerError> {
    parsed(answer)
}

/// The detail of a dead letter, cut to its largest size.
pub(super) fn short_detail(detail: &str) -> &str {
    &detail[..detail.floor_char_boundary(DETAIL_BYTES)]
}

fn stored_fields(answer: Value) -> Result<StoredFields, BrokerError> {
    match answer {
        Value::Nil => Ok(StoredFields::Gone),
        Value::Int(size) => Ok(StoredFields::TooLarge(size.try_into().map_err(|_| unexpected_answer())?)),
        Value::Array(parts) => {
            let mut parts = parts.into_iter().map_while(bytes);
            let fields = std::iter::from_fn(|| Some((parts.next()?, parts.next()?)));
            Ok(StoredFields::Read(fields.collect::<Vec<Field>>()))
        }
        _ => Err(unexpected_answer()),
    }
}

fn bytes(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(bytes.into()),
        Value::SimpleString(text) => Some(text.into()),
        _ => None,
    }
}

fn array(answer: Value) -> Result<Vec<Value>, BrokerError> {
    if let Value::Array(parts) = answer { Ok(parts) } else { Err(unexpected_answer()) }
}

fn parts<const N: usize>(answer: Value) -> Result<[Value; N], BrokerError> {
    array(answer)?.try_into().map_err(|_| unexpected_answer())
}

fn parsed<T: FromStr>(value: Value) -> Result<T, BrokerError> {
    number(&text(value).ok_or_else(unexpected_answer)?)
}

fn number<T: FromStr>(text: &str) -> Result<T, BrokerError> {
    text.parse().map_err(|_| unexpected_answer())
}
