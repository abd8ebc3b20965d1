//! The fields of an entry that is an event for a service.

use super::{Field, NewEntry, StoredFields};
use bytes::Bytes;
use serde::de::IgnoredAny;
use std::{str::from_utf8, time::Duration};

/// Largest size of an id or a key, in bytes.
const NAME_BYTES: usize = 512;

/// An event as a queue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedEvent {
    /// See [`NewEntry::id`].
    pub id: Box<str>,
    /// See [`NewEntry::key`].
    pub key: Box<str>,
    /// The event: a JSON object.
    pub event: Bytes,
    /// Until when it may be delivered, by the clock of the store, in milliseconds since 1970. None: for ever.
    pub expires_ms: Option<u64>,
}

impl QueuedEvent {
    /// Reads the fields of an entry; unknown ones are ignored. The error says what is wrong with them. Another program may have written them.
    pub fn read(fields: &StoredFields) -> Result<Self, String> {
        match fields {
            StoredFields::Read(_) => {}
            StoredFields::TooLarge(bytes) => return Err(format!("The entry has {bytes} bytes. That is more than the gateway reads.")),
            StoredFields::Gone => return Err("The entry was deleted.".to_owned()),
        }
        let name = |field| {
            let text =
                fields.get(field).map_or(Ok(""), |value| from_utf8(value)).map_err(|_| format!("The field `{field}` is not UTF-8."))?;
            if text.len() > NAME_BYTES { Err(format!("The field `{field}` has more than {NAME_BYTES} bytes.")) } else { Ok(text) }
        };
        let (id, key) = (name("id")?, name("key")?);
        if id.is_empty() {
            return Err("The field `id` is missing.".to_owned());
        }
        let event = fields.get("event").ok_or("The field `event` is missing.")?;
        if event.first() != Some(&b'{') || serde_json::from_slice::<IgnoredAny>(event).is_err() || from_utf8(event).is_err() {
            return Err("The field `event` is not a JSON object.".to_owned());
        }
        let expires_ms = match name("expires_ms")? {
            "" => None,
            text => Some(text.parse().map_err(|_| "The field `expires_ms` is not a whole number.")?),
        };
        Ok(Self { id: id.into(), key: key.into(), event: event.clone(), expires_ms })
    }
}

impl NewEntry {
    /// The fields with which it is stored. `now_ms` is the clock of the store, in milliseconds since 1970.
    pub fn fields(&self, now_ms: u64) -> Vec<Field> {
        let field = |name: &'static str, value: Bytes| (Bytes::from_static(name.as_bytes()), value);
        let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let mut fields = vec![field("id", text(&self.id)), field("key", text(&self.key)), field("event", self.event.clone())];
        let expires_ms = |time: Duration| now_ms.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        fields.extend(self.expires_after.map(|time| field("expires_ms", expires_ms(time).to_string().into())));
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(fields: &[(&'static str, &'static [u8])]) -> StoredFields {
        StoredFields::Read(fields.iter().map(|(name, value)| (Bytes::from_static(name.as_bytes()), Bytes::from_static(value))).collect())
    }

    #[test]
    fn an_event_is_read_as_it_was_stored() {
        for (expires_after, expires_ms) in [(None, None), (Some(Duration::from_millis(1500)), Some(2500))] {
            let new = NewEntry { id: "msg_1".into(), key: "".into(), event: Bytes::from_static(b"{\"a\":1}"), expires_after, once: None };
            let read = QueuedEvent::read(&StoredFields::Read(new.fields(1000)));
            assert_eq!(read, Ok(QueuedEvent { id: new.id, key: new.key, event: new.event, expires_ms }));
        }
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_a_sentence() {
        let long = StoredFields::Read(vec![("id".into(), vec![b'x'; 513].into()), ("event".into(), "{}".into())]);
        assert_eq!(QueuedEvent::read(&long).err().as_deref(), Some("The field `id` has more than 512 bytes."));
        for (fields, wrong) in [
            (raw(&[]), "The field `id` is missing."),
            (raw(&[("id", b""), ("event", b"{}")]), "The field `id` is missing."),
            (raw(&[("id", b"\xff"), ("event", b"{}")]), "The field `id` is not UTF-8."),
            (raw(&[("id", b"1"), ("key", b"\xff"), ("event", b"{}")]), "The field `key` is not UTF-8."),
            (raw(&[("id", b"1")]), "The field `event` is missing."),
            (raw(&[("id", b"1"), ("event", b"[]")]), "The field `event` is not a JSON object."),
            (raw(&[("id", b"1"), ("event", b"{\"a\":")]), "The field `event` is not a JSON object."),
            (raw(&[("id", b"1"), ("event", b"{\"a\":\"\xff\"}")]), "The field `event` is not a JSON object."),
            (raw(&[("id", b"1"), ("event", b"{}"), ("expires_ms", b"-1")]), "The field `expires_ms` is not a whole number."),
            (StoredFields::TooLarge(7), "The entry has 7 bytes. That is more than the gateway reads."),
            (StoredFields::Gone, "The entry was deleted."),
        ] {
            assert_eq!(QueuedEvent::read(&fields).err().as_deref(), Some(wrong), "{fields:?}");
        }
    }
}
