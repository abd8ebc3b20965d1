//! A publication of a service, before it is submitted.

use crate::link::Publish;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

/// A publication to be sent with [`Publisher::publish`](super::Publisher::publish).
#[derive(Debug, Clone)]
pub struct Publication {
    channel: String,
    data: Box<RawValue>,
    tags: BTreeMap<String, String>,
    ephemeral: bool,
    idempotency_key: Option<String>,
    traceparent: Option<String>,
}

impl Publication {
    /// A publication of `data` into `channel`. Fails if `data` cannot be serialised as JSON.
    pub fn new(channel: impl Into<String>, data: &impl Serialize) -> Result<Self, serde_json::Error> {
        let data = to_raw_value(data)?;
        Ok(Self { channel: channel.into(), data, tags: BTreeMap::new(), ephemeral: false, idempotency_key: None, traceparent: None })
    }

    /// Not stored: only the current subscribers receive it.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    /// Repeated publications with this key are stored once. The default is a random key.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
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
        let key = self.idempotency_key.or_else(|| (!self.ephemeral).then(|| format!("{:032x}", rand::random::<u128>())));
        Publish {
            id: 0,
            channel: self.channel,
            data: self.data,
            tags: self.tags,
            ephemeral: self.ephemeral,
            idempotency_key: key,
            traceparent: self.traceparent,
        }
    }
}
