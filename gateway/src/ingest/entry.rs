//! From the fields of an entry to a publication.

use super::config::Patterns;
use crate::publish::{CallerIdentity, CallerKey, Draft};
use bytes::Bytes;
use gateway_core::{
    model::{ChannelName, ErrorCode, Refusal, Tags, UserId},
    queue::{Field, StoredFields},
};
use serde_json::value::RawValue;
use shared_proto::{content::ContentMembers, json, producer::Producer};

/// The names of the fields, each at most once in an entry.
const FIELDS: [&str; 9] = ["channel", "user", "data", "text", "data_base64", "tags", "idempotency_key", "producer", "traceparent"];
/// Largest number of bytes of a name in an error.
const NAME_SHOWN: usize = 64;

/// An entry that is not a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// The channel, if the entry names a valid one. Its later entries wait until this one is a dead letter.
    pub(super) channel: Option<ChannelName>,
    pub(super) refusal: Refusal,
}

/// Reads the fields of an entry. `allowed`: the channels that ingest may publish into.
pub(super) fn read(fields: &StoredFields, entry_bytes: usize, allowed: &Patterns) -> Result<Draft, Unreadable> {
    let StoredFields::Read(fields) = fields else {
        let size = if let StoredFields::TooLarge(size) = fields { *size } else { 0 };
        let detail = format!("The fields of the entry have {size} bytes; {entry_bytes} are allowed (ingest.entry_bytes).");
        return Err(Unreadable { channel: None, refusal: Refusal::new(ErrorCode::PayloadTooLarge, detail) });
    };
    let channel = Values::collect(fields.iter().filter(|(name, _)| name == "channel" || name == "user"))
        .and_then(|values| channel(&values))
        .and_then(|channel| allow(channel, allowed));
    let refused = |channel: Option<ChannelName>| move |refusal| Unreadable { channel, refusal };
    // Whatever else is wrong, the channel is known.
    let known = channel.as_ref().ok().cloned();
    let values = Values::collect(fields.iter()).map_err(refused(known.clone()))?;
    let channel = channel.map_err(refused(None))?;
    draft(channel, values).map_err(refused(known))
}

/// The fields of an entry, in the order of [`FIELDS`].
#[derive(Default)]
struct Values<'a>([Option<&'a str>; FIELDS.len()]);

impl<'a> Values<'a> {
    fn collect(fields: impl Iterator<Item = &'a Field>) -> Result<Self, Refusal> {
        let mut values = Self::default();
        for (name, value) in fields {
            let index = FIELDS.iter().position(|known| name == known).ok_or_else(|| unknown(name))?;
            let (name, place) = (FIELDS[index], &mut values.0[index]);
            if place.is_some() {
                return Err(bad(format!("The field `{name}` occurs twice.")));
            }
            *place = Some(str::from_utf8(value).map_err(|_| bad(format!("The field `{name}` is not UTF-8.")))?);
        }
        Ok(values)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        FIELDS.iter().zip(self.0).find(|(known, _)| **known == name).and_then(|(_, value)| value)
    }
}

fn channel(values: &Values<'_>) -> Result<ChannelName, Refusal> {
    match (values.get("channel"), values.get("user")) {
        (Some(channel), None) => channel.parse().map_err(|error| bad(format!("The field `channel` {error}."))),
        (None, Some(user)) => {
            let user: UserId = user.parse().map_err(|error| bad(format!("The field `user` {error}.")))?;
            ChannelName::personal(&user).ok_or_else(|| bad("The field `user` is empty: anonymous users have no personal channel.".into()))
        }
        (None, None) => Err(bad("The entry has no field `channel` and no field `user`. Send one of them.".into())),
        (Some(_), Some(_)) => Err(bad("The fields `channel` and `user` exclude each other. Send one of them.".into())),
    }
}

fn allow(channel: ChannelName, allowed: &Patterns) -> Result<ChannelName, Refusal> {
    if allowed.match_any(&channel) {
        return Ok(channel);
    }
    let detail = format!("Ingest may not publish into the channel \"{channel}\". Add a pattern that matches it to ingest.channels.");
    Err(Refusal::new(ErrorCode::PermissionDenied, detail))
}

fn draft(channel: ChannelName, values: Values<'_>) -> Result<Draft, Refusal> {
    let data =
        values.get("data").map(|data| serde_json::from_str::<Box<RawValue>>(data).map_err(|error| not_json("data", &error))).transpose()?;
    let text = |name| values.get(name).map(str::to_owned);
    let content = ContentMembers { data, text: text("text"), data_base64: text("data_base64") };
    let content = content.read().map_err(|error| bad(error.to_string().replace("member", "field")))?;
    let tags: Tags = values.get("tags").map_or(Ok(Tags::new()), |tags| json::read(tags).map_err(|error| not_json("tags", &error)))?;
    let key = values.get("idempotency_key").map(CallerKey::of_entry).transpose()?;
    let producer: Option<Producer> =
        values.get("producer").map(|producer| json::read(producer).map_err(|error| not_json("producer", &error))).transpose()?;
    let identity = CallerIdentity::new(key, producer)?;
    Ok(Draft::of(channel, content, tags)?.within(values.get("traceparent").map(Into::into), identity))
}

fn not_json(field: &str, error: &dyn std::fmt::Display) -> Refusal {
    bad(format!("The field `{field}` is not valid: {error}."))
}

fn unknown(name: &Bytes) -> Refusal {
    let shown = String::from_utf8_lossy(&name[..name.len().min(NAME_SHOWN)]);
    bad(format!("The field {shown:?} is unknown. Fields are {}.", FIELDS.join(", ")))
}

fn bad(detail: String) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(fields: &[(&str, &str)]) -> Result<Draft, Unreadable> {
        let fields = fields.iter().map(|(name, value)| (Bytes::copy_from_slice(name.as_bytes()), Bytes::copy_from_slice(value.as_bytes())));
        read(&StoredFields::Read(fields.collect()), 1000, &Patterns::new(["news:*", "#*"]))
    }

    #[test]
    fn an_entry_with_all_fields_is_a_publication() {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let draft = read_all(&[
            ("tags", r#"{"kind":"a"}"#),
            ("data", r#" {"n": 1}"#),
            ("channel", "news:a"),
            ("producer", r#"{"id":"p","epoch":1,"seq":2}"#),
            ("traceparent", traceparent),
        ])
        .expect("valid");
        assert_eq!((draft.channel.as_str(), draft.tags.len(), draft.traceparent.as_deref()), ("news:a", 1, Some(traceparent)));
        assert!(matches!(draft.identity, Some(CallerIdentity::Producer(_))) && !draft.ephemeral);
        let draft = read_all(&[("user", "ann"), ("data", "null"), ("idempotency_key", "k")]).expect("valid");
        assert_eq!((draft.channel.as_str(), draft.content.as_json().map(gateway_core::model::Data::get)), ("#ann", Some("null")));
        assert_eq!(draft.identity, CallerKey::of_entry("k").ok().map(CallerIdentity::Key));
        for content in [("text", "a"), ("data_base64", "/w==")] {
            assert!(read_all(&[("channel", "news:a"), content]).expect("valid").content.as_json().is_none());
        }
    }

    #[test]
    fn a_bad_entry_is_refused_with_the_place_and_its_channel() {
        let channel = ("channel", "news:a");
        for (fields, says, has_channel) in [
            (&[("data", "1")][..], "no field `channel`", false),
            (&[channel, ("user", "ann"), ("data", "1")], "exclude each other", false),
            (&[("channel", "a b"), ("data", "1")], "The field `channel`", false),
            (&[("user", ""), ("data", "1")], "The field `user`", false),
            (&[("channel", "other:a"), ("data", "1")], "ingest.channels", false),
            (&[channel, ("data", "1"), ("ttl", "5")], "\"ttl\" is unknown", true),
            (&[("ttl", "5"), channel, ("data", "1")], "\"ttl\" is unknown", true),
            (&[channel, ("data", "1"), ("data", "2")], "`data` occurs twice", true),
            (&[channel], "The field `data` is missing", true),
            (&[channel, ("data", "1"), ("text", "a")], "`data` and `text` exclude", true),
            (&[channel, ("data", "{")], "The field `data`", true),
            (&[channel, ("data", "1 2")], "The field `data`", true),
            (&[channel, ("data", "1"), ("tags", "[]")], "The field `tags`", true),
            (&[channel, ("data", "1"), ("tags", r#"{"a":1}"#)], "The field `tags`", true),
            (&[channel, ("data", "1"), ("producer", r#"{"id":"p"}"#)], "The field `producer`", true),
            (&[channel, ("data", "1"), ("producer", r#"{"id":"p","epoch":1,"seq":2}"#), ("idempotency_key", "k")], "not both", true),
            (&[channel, ("data", "1"), ("idempotency_key", "ü")], "visible ASCII", true),
        ] {
            let unreadable = read_all(fields).expect_err(says);
            assert!(unreadable.refusal.detail.contains(says), "{says}: {}", unreadable.refusal.detail);
            assert_eq!(unreadable.channel.is_some(), has_channel, "{says}");
        }
    }

    #[test]
    fn an_entry_that_is_too_large_or_not_utf8_is_refused() {
        let bytes = |bytes: &'static [u8]| Bytes::from_static(bytes);
        let unreadable = |fields| read(&fields, 1000, &Patterns::new(["*"])).expect_err("unreadable");
        assert!(unreadable(StoredFields::TooLarge(2000)).refusal.detail.contains("2000 bytes; 1000"));
        let not_text = unreadable(StoredFields::Read(vec![(bytes(b"channel"), bytes(b"a")), (bytes(b"data"), bytes(b"\"\xff\""))]));
        assert!(not_text.channel.is_some() && not_text.refusal.detail.contains("`data` is not UTF-8"));
        let long = Bytes::from(vec![0xff; 1 << 20]);
        assert!(unreadable(StoredFields::Read(vec![(long, bytes(b""))])).refusal.detail.len() < 1000);
    }
}
