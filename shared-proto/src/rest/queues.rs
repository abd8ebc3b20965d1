//! The answers about queues and dead letters.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueBody {
    /// Number of entries that are not acknowledged, in all partitions.
    pub depth: u64,
    /// The age of the oldest entry, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_age_ms: Option<u64>,
    /// Number of dead letters, in all partitions.
    pub dead_letters: u64,
    /// Whether the deliveries of any partition are paused.
    pub paused: bool,
    /// The partitions, by their numbers.
    pub partitions: Vec<QueuePartitionBody>,
}

/// A partition of a queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueuePartitionBody {
    /// Its number.
    pub partition: u16,
    /// Number of entries that are not acknowledged.
    pub depth: u64,
    /// Number of those that its owner has read: they are on their way to the service, or wait for another try.
    pub read: u64,
    /// The age of the oldest entry, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_age_ms: Option<u64>,
    /// Number of dead letters.
    pub dead_letters: u64,
    /// The node that delivers the entries. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whether deliveries are paused.
    pub paused: bool,
}

/// Body of a request to pause a queue.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// `true` pauses the deliveries, `false` ends the pause. New entries are stored in both cases.
    pub paused: bool,
}

/// The answer to a request that deletes entries.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeletedEntriesBody {
    /// Number of deleted entries.
    pub deleted: u64,
}

/// A page of dead letters.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeadLettersBody {
    /// The dead letters, by partition and then by age, oldest first.
    pub dead_letters: Vec<DeadLetterBody>,
    /// `after` of the next page. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A dead letter.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeadLetterBody {
    /// Its id, for the path of other requests.
    pub id: String,
    /// The id that it had as an entry of its partition.
    pub entry: String,
    /// When it became a dead letter, in milliseconds since 1970.
    pub at: u64,
    /// `refused`, `tries`, `expired`, `malformed` or `unpublishable`. Absent if another program wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What went wrong.
    pub detail: String,
    /// The error, if the gateway has one for it: a problem document (RFC 9457).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub problem: Option<Box<RawValue>>,
    /// Number of tries.
    pub tries: u32,
    /// The event, as the service gets it. Absent if there is none, or if it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub event: Option<Box<RawValue>>,
    /// All other fields of the entry. What is not UTF-8 is replaced by U+FFFD.
    pub fields: BTreeMap<String, String>,
}
