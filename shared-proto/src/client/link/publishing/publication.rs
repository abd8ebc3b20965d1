//! A publication of a service, before it is submitted.

use crate::{
    content::{ContentBody, ContentMembers},
    link::Publish,
    producer::Producer,
};
use serde::Serialize;
use serde_json::value::to_raw_value;
use std::collections::BTreeMap;

/// A publication to be sent with [`Publisher::publish`](super::Publisher::publish).
#[derive(Debug, Clone)]
pub struct Publication {
    channel: String,
    content: ContentBody,
    tags: BTreeMap<String, String>,
    ephemeral: bool,
    idempotency_key: Option<String>,
    producer: Option<Producer>,
    traceparent: Option<String>,
}

impl Publication {
    /// A publication of `data` into `channel`. Fails if `data` cannot be serialised as JSON.
    pub fn new(channel: impl Into<String>, data: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self::with_content(channel, ContentBody::Json(to_raw_value(data)?)))
    }

    /// A publication of a text into `channel`, whose namespace has to allow any data.
    pub fn text(channel: impl Into<String>, text: impl Into<String>) -> Self {
        Self::with_content(channel, ContentBody::Text(text.into()))
    }

    /// A publication of bytes into `channel`, whose namespace has to allow any data.
    pub fn bytes(channel: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::with_content(channel, ContentBody::Bytes(bytes.into()))
    }

    fn with_content(channel: impl Into<String>, content: ContentBody) -> Self {
        Self {
            channel: channel.into(),
            content,
            tags: BTreeMap::new(),
            ephemeral: false,
            idempotency_key: None,
            producer: None,
            traceparent: None,
        }
    }

    /// Not stored: only the current subscribers receive it.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    /// Repeated publications with this key are stored once. The default is a random key, except with a producer's number.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// The number that a producer gives to this publication. The gateway refuses it together with an idempotency key or
    /// [`Publication::ephemeral`].
    #[must_use]
    pub fn with_producer(mut self, producer: Producer) -> Self {
        self.producer = Some(producer);
        self
    }

    /// Adds a tag, which subscribers receive with the data.
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Continues the trace of this W3C `traceparent`.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: Option<String>) -> Self {
        self.traceparent = traceparent;
        self
    }

    /// The frame, without its id: the publish queue assigns it.
    pub(super) fn into_frame(self) -> Publish {
        let needs_key = !self.ephemeral && self.producer.is_none();
        let key = self.idempotency_key.or_else(|| needs_key.then(|| format!("{:032x}", rand::random::<u128>())));
        let ContentMembers { data, text, data_base64 } = self.content.into();
        Publish {
            id: 0,
            channel: self.channel,
            data,
            text,
            data_base64,
            tags: self.tags,
            ephemeral: self.ephemeral,
            idempotency_key: key,
            producer: self.producer,
            traceparent: self.traceparent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_of_text_or_bytes_has_its_member() {
        let text = serde_json::to_value(Publication::text("c", "hi").ephemeral().into_frame()).expect("JSON");
        assert_eq!(text, serde_json::json!({"id": 0, "channel": "c", "text": "hi", "ephemeral": true}));
        let bytes = serde_json::to_value(Publication::bytes("c", [255]).ephemeral().into_frame()).expect("JSON");
        assert_eq!(bytes, serde_json::json!({"id": 0, "channel": "c", "data_base64": "/w==", "ephemeral": true}));
    }
}
