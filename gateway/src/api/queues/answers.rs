//! The bodies of answers about queues.

use crate::queues::age_ms;
use gateway_core::queue::{DeadLetterId, DeadReason, PartitionStatus, StoredDeadLetter, StoredFields};
use serde_json::value::RawValue;
use shared_proto::rest::{DeadLetterBody, QueueBody, QueuePartitionBody};

/// The member of a dead letter with the event.
const EVENT: &str = "event";
/// The fields that the gateway adds to dead letters, which the body shows by other names.
const ADDED: &str = "dead_";

pub(super) fn queue(statuses: &[PartitionStatus]) -> QueueBody {
    let partitions: Vec<_> = (0..).zip(statuses).map(|(number, status)| partition(number, status)).collect();
    QueueBody {
        depth: statuses.iter().map(|status| status.depth).sum(),
        oldest_age_ms: partitions.iter().filter_map(|partition| partition.oldest_age_ms).max(),
        dead_letters: statuses.iter().map(|status| status.dead).sum(),
        paused: statuses.iter().any(|status| status.paused),
        partitions,
    }
}

fn partition(number: u16, status: &PartitionStatus) -> QueuePartitionBody {
    let node = |owner: &str| owner.rsplit_once(' ').map_or(owner, |(node, _)| node).to_owned();
    QueuePartitionBody {
        partition: number,
        depth: status.depth,
        read: status.read,
        oldest_age_ms: status.oldest.map(|oldest| age_ms(oldest, status.now_ms)),
        dead_letters: status.dead,
        owner: status.owner.as_deref().map(node),
        paused: status.paused,
    }
}

pub(super) fn dead_letter(id: DeadLetterId, letter: &StoredDeadLetter) -> DeadLetterBody {
    let json = |bytes: &[u8]| serde_json::from_slice::<Box<RawValue>>(bytes).ok();
    let event = letter.fields.get(EVENT).and_then(|event| json(event));
    let fields = match &letter.fields {
        StoredFields::Read(fields) => fields.as_slice(),
        StoredFields::TooLarge(_) | StoredFields::Gone => &[],
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let others = fields.iter().filter(|(name, _)| !name.starts_with(ADDED.as_bytes()) && (event.is_none() || name != EVENT));
    let others = others.map(|(name, value)| (text(name), text(value))).collect();
    let size = if let StoredFields::TooLarge(size) = letter.fields {
        format!(" The fields have {size} bytes and are not shown.")
    } else {
        String::new()
    };
    DeadLetterBody {
        id: id.to_string(),
        entry: letter.entry.to_string(),
        at: letter.id.ms,
        reason: letter.reason.map(DeadReason::name).map(Into::into),
        detail: format!("{}{size}", letter.detail),
        problem: json(letter.detail.as_bytes()).filter(|problem| problem.get().starts_with('{')),
        tries: letter.tries,
        event,
        fields: others,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use gateway_core::queue::EntryId;

    fn letter(detail: &str, fields: StoredFields) -> StoredDeadLetter {
        let id = |ms| EntryId { ms, seq: 0 };
        StoredDeadLetter { id: id(9), entry: id(7), reason: Some(DeadReason::Tries), detail: detail.into(), tries: 3, fields }
    }

    fn body(letter: &StoredDeadLetter) -> serde_json::Value {
        serde_json::to_value(dead_letter(DeadLetterId { partition: 2, id: letter.id }, letter)).expect("JSON")
    }

    #[test]
    fn a_dead_letter_shows_its_event_and_why_nobody_processed_it() {
        let field = |name: &'static str, value: &'static [u8]| (Bytes::from_static(name.as_bytes()), Bytes::from_static(value));
        let fields =
            StoredFields::Read(vec![field("id", b"msg_1"), field("key", b"\xff"), field("event", b"{\"a\":1}"), field("dead_tries", b"3")]);
        let shown = body(&letter("{\"code\":\"x\"}", fields));
        assert_eq!(
            (&shown["id"], &shown["entry"], &shown["at"], &shown["reason"]),
            (&"2:9-0".into(), &"7-0".into(), &9.into(), &"tries".into())
        );
        assert_eq!((&shown["event"]["a"], &shown["problem"]["code"]), (&1.into(), &"x".into()));
        assert_eq!(shown["fields"], serde_json::json!({"id": "msg_1", "key": "\u{fffd}"}));
        let malformed = body(&letter("no JSON", StoredFields::Read(vec![field("event", b"{")])));
        assert!(malformed["event"].is_null() && malformed["problem"].is_null() && malformed["fields"]["event"] == "{", "{malformed}");
        assert_eq!(
            body(&letter("Too large.", StoredFields::TooLarge(77)))["detail"],
            "Too large. The fields have 77 bytes and are not shown."
        );
    }

    #[test]
    fn the_state_of_a_queue_is_that_of_its_partitions() {
        let status = |depth, ms: Option<u64>, paused| PartitionStatus {
            depth,
            oldest: ms.map(|ms| EntryId { ms, seq: 0 }),
            dead: 1,
            owner: Some("node 1 00ff".into()),
            paused,
            now_ms: 100,
            ..PartitionStatus::default()
        };
        let shown = queue(&[status(2, Some(40), false), status(0, None, true), status(3, Some(70), false)]);
        assert_eq!((shown.depth, shown.oldest_age_ms, shown.dead_letters, shown.paused), (5, Some(60), 3, true));
        assert_eq!((shown.partitions[2].partition, shown.partitions[2].owner.as_deref()), (2, Some("node 1")));
    }
}
