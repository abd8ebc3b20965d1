//! A publication with what belongs to it, as JSON.

use crate::model::{ChannelName, Content, ENCODING, Publication};
use serde::Serialize;
use serde_json::value::RawValue;
use shared_proto::json::base64;
use std::collections::BTreeMap;

/// A publication as the data of an event.
#[derive(Serialize)]
struct Envelope<'a> {
    channel: &'a str,
    data: EnvelopeData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<&'a str, &'a str>,
    /// When the gateway accepted it, in milliseconds since 1970.
    time: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum EnvelopeData<'a> {
    Json(&'a RawValue),
    Text(&'a str),
    Base64(String),
}

/// The envelope of a publication. Bytes are base64, and then there is the tag `encoding`.
pub(super) fn envelope(channel: &ChannelName, publication: &Publication) -> Vec<u8> {
    let mut tags: BTreeMap<_, _> = publication.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let data = match &publication.content {
        Content::Json(data) => EnvelopeData::Json(data.raw()),
        Content::Text(text) => EnvelopeData::Text(text),
        Content::Bytes(bytes) => {
            tags.insert(ENCODING, "base64");
            EnvelopeData::Base64(base64::encode(bytes))
        }
    };
    let offset = publication.position.map(|at| at.offset);
    let envelope = Envelope { channel, data, offset, tags, time: publication.time_ms };
    serde_json::to_vec(&envelope).expect("texts and numbers are JSON")
}
