//! Events on their way into a queue and out of it.

use super::super::{call_types::EventMessage, lifecycle::event::Lifecycle, routes::route::OrderKey};
use crate::queues::Delivery;
use bytes::Bytes;
use gateway_core::{
    model::ServiceName,
    queue::{NewEntry, Once, PartitionId, QueueName, partition_of},
};
use shared_proto::link::Event;
use std::time::Duration;

/// An event for the queue of a service.
pub(super) struct Entry {
    pub(super) partition: PartitionId,
    pub(super) entry: NewEntry,
}

/// How an event is stored.
#[derive(Default)]
pub(super) struct Terms {
    /// Its order key.
    pub(super) key: Option<OrderKey>,
    pub(super) expires_after: Option<Duration>,
    pub(super) once: Option<Once>,
}

/// The event of a frontend's message, or with `method` of its call. It gets this id.
pub(super) fn of_message(message: EventMessage<'_>, method: Option<&str>, id: String) -> Event {
    let event = Event::from(message);
    let kind = if method.is_some() { shared_proto::webhook::CALL.into() } else { event.kind };
    Event { id: Some(id), kind, method: method.map(Into::into), ..event }
}

/// The entry of a frontend's event.
pub(super) fn entry(service: &ServiceName, partitions: u16, event: &Event, terms: Terms) -> Entry {
    let key = terms.key.map(|key| key.text().as_ref().into()).unwrap_or_default();
    place(service, partitions, event, key, terms.expires_after, terms.once)
}

/// The entry of a lifecycle event.
pub(super) fn of_lifecycle(service: &ServiceName, partitions: u16, event: &Lifecycle) -> Entry {
    place(service, partitions, &event.into(), event.subject().into(), None, None)
}

// NL-8.4
fn place(
    service: &ServiceName,
    partitions: u16,
    event: &Event,
    key: Box<str>,
    expires_after: Option<Duration>,
    once: Option<Once>,
) -> Entry {
    let id: Box<str> = event.id.as_deref().unwrap_or_default().into();
    // Without an order, a repeat finds the first event where the idempotency key is.
    let place = match &once {
        _ if !key.is_empty() => key.clone(),
        Some(once) => u128::from_le_bytes(std::array::from_fn(|i| once.name[i])).to_string().into(),
        None => id.clone(),
    };
    let partition = partition_of(&place, partitions);
    // Strings, numbers and valid JSON: serialising cannot fail.
    let event: Bytes = serde_json::to_vec(event).unwrap_or_default().into();
    let partition = PartitionId { queue: QueueName::Service(service.clone()), partition };
    Entry { partition, entry: NewEntry { id, key, event, expires_after, once } }
}

/// The event of a delivery, as services get it. The error says what is wrong with it: another program may have stored it.
pub(super) fn of_delivery(delivery: &Delivery) -> Result<Event, String> {
    let event: Event = shared_proto::json::read_bytes(&delivery.event).map_err(|error| format!("The entry is not an event: {error}."))?;
    Ok(Event {
        id: Some(delivery.id.as_ref().into()),
        attempt: Some(delivery.ticket.attempt),
        partition: Some(delivery.partition),
        key: Some(delivery.key.as_ref()).filter(|key| !key.is_empty()).map(Into::into),
        ..event
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::{Caller, Change, End, Origin};
    use gateway_core::model::{ConnectionId, Data};
    use serde_json::{Value, json};

    fn service() -> ServiceName {
        "shop".parse().expect("valid")
    }

    fn json_of(entry: &NewEntry) -> Value {
        serde_json::from_slice(&entry.event).expect("JSON")
    }

    #[test]
    fn a_call_has_its_method_and_its_order_key_chooses_the_partition() {
        let caller = Caller::of("alice");
        let message = || EventMessage { data: Data::null(), caller: &caller, request: None };
        let event = of_message(message(), Some("buy"), "msg_1".into());
        let key = Some(OrderKey::Member("42".into()));
        let Entry { partition, entry } = entry(&service(), 64, &event, Terms { key, ..Terms::default() });
        assert_eq!((partition.partition, &*entry.key, &*entry.id), (partition_of("42", 64), "42", "msg_1"));
        let expected = json!({"id": "msg_1", "kind": "call", "method": "buy", "data": null, "user": "alice", "connection": caller.connection.to_string()});
        assert_eq!(json_of(&entry), expected, "the delivery adds attempt, partition and key");
        let event = of_message(message(), None, "msg_2".into());
        let without_key = super::entry(&service(), 64, &event, Terms::default());
        assert_eq!(
            (without_key.partition.partition, &*without_key.entry.key),
            (partition_of("msg_2", 64), ""),
            "it has the partition of its id"
        );
        assert_eq!(json_of(&without_key.entry)["kind"], "message");
    }

    // NL-7.4
    #[test]
    fn lifecycle_events_keep_their_id_and_the_order_of_their_subject() {
        let connection = ConnectionId::random();
        let origin = Origin { holder: "n1/g".into(), connection, user: "alice".parse().expect("valid"), meta: None };
        let event = Lifecycle::new(Change::Disconnected(origin, End::with_node()));
        let Entry { partition, entry } = of_lifecycle(&service(), 7, &event);
        let key = connection.to_string();
        assert_eq!((partition.partition, &*entry.key), (partition_of(&key, 7), key.as_str()));
        assert_eq!(&*entry.id, format!("n1/g/{connection}/disconnected"));
        assert_eq!(json_of(&entry)["kind"], "disconnected");
    }
}
