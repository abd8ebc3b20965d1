//! Entries of a queue.

use bytes::Bytes;
use std::{fmt, str::FromStr, time::Duration};

/// The id of an entry in the stream of its partition. Ids grow in the order of the stream. Written `ms-seq`, as in Redis Streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// When the store took the entry, by its clock, in milliseconds since 1970.
    pub ms: u64,
    /// Distinguishes the entries of one millisecond.
    pub seq: u64,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// A text is not an [`EntryId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be two whole numbers with a dash between them, such as 1795891200000-0")]
pub struct InvalidEntryId;

impl FromStr for EntryId {
    type Err = InvalidEntryId;

    fn from_str(text: &str) -> Result<Self, InvalidEntryId> {
        let number = |text: &str| if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None };
        let (ms, seq) = text.split_once('-').ok_or(InvalidEntryId)?;
        Ok(Self { ms: number(ms).ok_or(InvalidEntryId)?, seq: number(seq).ok_or(InvalidEntryId)? })
    }
}

/// An event on its way into a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The id of the event, the same for all its deliveries. 1 to 512 bytes.
    pub id: Box<str>,
    /// Entries with the same key keep their order. Empty: the entry has no key.
    pub key: Box<str>,
    /// The event as JSON.
    pub event: Bytes,
    /// The entry becomes a dead letter if it is not delivered within this time.
    pub expires_after: Option<Duration>,
    /// What tells a repeat from a new event, besides the id.
    pub once: Option<Once>,
}

/// What tells a repeat of an event from a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// Digest of the caller, the service, the method and the caller's key.
    pub name: [u8; 32],
    /// Digest of the data. The same name with other data is refused.
    pub body: [u8; 32],
    /// How long the event is remembered.
    pub ttl: Duration,
}

/// What became of a [`NewEntry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is stored.
    Stored(EntryId),
    /// An earlier event with the same identity was stored under this id. Nothing changed.
    Repeated(Box<str>),
}

/// One field of an entry: name and value. Other programs may write anything.
pub type Field = (Bytes, Bytes);

/// An entry as the store has it. [`Self::fields`] of an event: `id`, `key`, `event`, and `expires_ms` if it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEntry {
    /// Its id.
    pub id: EntryId,
    /// Number of deliveries that were refused or not acknowledged in time.
    pub tries: u32,
    /// Its content.
    pub fields: StoredFields,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredFields {
    /// Names and values, in order.
    Read(Vec<Field>),
    /// They are larger than the limit, so the store did not read them. Their size in bytes.
    TooLarge(u64),
    /// The entry was deleted.
    Gone,
}

impl StoredFields {
    /// Bytes of all names and values that were read.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Read(fields) => fields.iter().map(|(name, value)| name.len() + value.len()).sum(),
            Self::TooLarge(_) | Self::Gone => 0,
        }
    }

    /// The value of the last field with this name.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        let Self::Read(fields) = self else { return None };
        fields.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// Limits of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Number of entries, at least 1.
    pub entries: usize,
    /// Bytes of all fields. The first entry is read even if it is larger.
    pub bytes: usize,
    /// Bytes of the fields of one entry. See [`StoredFields::TooLarge`].
    pub entry_bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_like_the_stream_and_keep_their_text() {
        let id = |text: &str| text.parse::<EntryId>();
        assert!(id("9-10").ok() < id("10-0").ok() && id("10-9").ok() < id("10-10").ok());
        assert_eq!(id("18446744073709551615-7").map(|id| id.to_string()).as_deref(), Ok("18446744073709551615-7"));
        for wrong in ["", "7", "-", "7-", "-7", "7-+7", "+7-7", "7-7-7", "18446744073709551616-0", "0x7-0", " 7-0", "7-0 "] {
            assert_eq!(id(wrong), Err(InvalidEntryId), "{wrong}");
        }
    }
}
