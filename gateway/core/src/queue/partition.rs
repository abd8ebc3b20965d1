//! Names of queues and of their partitions.

use crate::model::{ServiceName, crc16};
use std::{fmt, sync::Arc};

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueName {
    /// Events for this service.
    Service(ServiceName),
    /// Publications from services.
    Ingest,
}

impl fmt::Display for QueueName {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service) => write!(f, "the queue of {service}"),
            Self::Ingest => f.write_str("ingest"),
        }
    }
}

/// A partition of a queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId {
    /// Its queue.
    pub queue: QueueName,
    /// Its number, from 0.
    pub partition: u16,
}

impl fmt::Display for PartitionId {
    /// `chatbot/3`, or `ingest:3`. No service has a colon in its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.queue {
            QueueName::Service(service) => write!(f, "{service}/{}", self.partition),
            QueueName::Ingest => write!(f, "ingest:{}", self.partition),
        }
    }
}

/// The partition of a key in a queue with this number of partitions (at least 1): CRC-16/XMODEM of the key, modulo the number. It must never change,
/// because nodes of different versions and producers in other languages have to agree.
pub fn partition_of(key: &str, partitions: u16) -> u16 {
    crc16(key.as_bytes()) % partitions.max(1)
}

/// Who owns a partition: the node and a random generation. Two owners are equal only if they are the same one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnerId(Arc<str>);

impl OwnerId {
    /// A new owner at this node.
    pub fn new(node: &str) -> Self {
        Self(format!("{node} {:032x}", rand::random::<u128>()).into())
    }

    /// Node and generation, as one text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_of_a_key_is_that_of_the_published_vectors() {
        // docs/queues.md has the same table.
        for (key, of_4, of_7, of_64) in [("", 0, 0, 0), ("123456789", 3, 6, 3)] {
            assert_eq!([4, 7, 64].map(|partitions| partition_of(key, partitions)), [of_4, of_7, of_64], "{key}");
        }
        assert_eq!((partition_of("a", 1), partition_of("a", 0)), (0, 0));
    }

    #[test]
    fn the_stream_of_a_channel_is_that_of_the_page_about_ingest() {
        let page = include_str!("../../../../docs/ingest.md");
        let rows = page.lines().skip_while(|line| !line.starts_with("| name | CRC-16")).skip(2).take_while(|line| line.starts_with('|'));
        let mut found = 0;
        for row in rows {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
            let numbers: Vec<u16> = cells[1..].iter().map(|cell| cell.parse().expect("a number")).collect();
            let of = |partitions| partition_of(cells[0], partitions);
            assert_eq!(numbers, [crc16(cells[0].as_bytes()), of(4), of(7), of(64)], "{row}");
            found += 1;
        }
        assert_eq!(found, 10);
    }
}
