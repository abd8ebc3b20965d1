//! Dead letters: entries that nobody could process. They stay until an operator replays or drops them.

use super::{EntryId, StoredFields};
use std::{fmt, str::FromStr};

/// Why an entry is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadReason {
    /// The service refused it for good.
    Refused,
    /// It had as many tries as the settings allow.
    Tries,
    /// It was not delivered in time.
    Expired,
    /// It is malformed or too large: another program wrote it.
    Malformed,
    /// It cannot be published. Only in ingest.
    Unpublishable,
}

impl DeadReason {
    /// All reasons.
    pub const ALL: [Self; 5] = [Self::Refused, Self::Tries, Self::Expired, Self::Malformed, Self::Unpublishable];

    /// Its name in answers, in the store and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Tries => "tries",
            Self::Expired => "expired",
            Self::Malformed => "malformed",
            Self::Unpublishable => "unpublishable",
        }
    }

    /// The reason with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// An entry that becomes a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The entry.
    pub id: EntryId,
    /// Why.
    pub reason: DeadReason,
    /// What went wrong, for people: a text or a problem document, at most 1 KiB.
    pub detail: Box<str>,
    /// Number of tries.
    pub tries: u32,
}

/// What became of a [`DeadLetter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLettered {
    /// It is a dead letter now, or it was deleted before.
    Moved,
    /// There are as many dead letters as the settings allow. Nothing changed.
    Full,
}

/// A dead letter as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// Its id among the dead letters of its partition.
    pub id: EntryId,
    /// The id that it had as an entry.
    pub entry: EntryId,
    /// Why it is a dead letter; None if another program wrote it.
    pub reason: Option<DeadReason>,
    /// See [`DeadLetter::detail`].
    pub detail: Box<str>,
    /// Number of tries.
    pub tries: u32,
    /// The fields of the entry.
    pub fields: StoredFields,
}

/// Names a dead letter of a queue. Written `partition:ms-seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadLetterId {
    /// Its partition.
    pub partition: u16,
    /// See [`StoredDeadLetter::id`].
    pub id: EntryId,
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.id)
    }
}

/// A text is not a [`DeadLetterId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of a dead letter, such as 3:1795891200000-0")]
pub struct InvalidDeadLetterId;

impl FromStr for DeadLetterId {
    type Err = InvalidDeadLetterId;

    fn from_str(text: &str) -> Result<Self, InvalidDeadLetterId> {
        let (partition, id) = text.split_once(':').ok_or(InvalidDeadLetterId)?;
        let partition = Some(partition).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        Ok(Self {
            partition: partition.and_then(|text| text.parse().ok()).ok_or(InvalidDeadLetterId)?,
            id: id.parse().map_err(|_| InvalidDeadLetterId)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_text() {
        let id = |text: &str| text.parse::<DeadLetterId>();
        assert_eq!(id("3:7-0").map(|id| id.to_string()).as_deref(), Ok("3:7-0"));
        assert!(id("2:9-9").ok() < id("10:1-0").ok());
        for wrong in ["", "3", "3:", ":7-0", "+3:7-0", "3:7", "65536:7-0", "3:7-0:1"] {
            assert_eq!(id(wrong), Err(InvalidDeadLetterId), "{wrong}");
        }
    }

    #[test]
    fn reasons_have_names() {
        for reason in DeadReason::ALL {
            assert_eq!(DeadReason::by_name(reason.name()), Some(reason));
        }
        assert_eq!(DeadReason::by_name("other"), None);
    }
}
