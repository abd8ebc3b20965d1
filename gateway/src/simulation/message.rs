//! Messages from the gateway, as a client reads them.

use gateway_core::model::{Epoch, Position};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// A message from the gateway.
#[derive(Deserialize)]
pub(super) struct Line {
    #[serde(default)]
    pub(super) id: u32,
    pub(super) subscribe: Option<Subscribed>,
    pub(super) connect: Option<Connected>,
    pub(super) error: Option<serde::de::IgnoredAny>,
    pub(super) push: Option<Push>,
}

#[derive(Deserialize)]
pub(super) struct Connected {
    #[serde(default)]
    pub(super) subs: HashMap<String, Subscribed>,
}

#[derive(Deserialize)]
pub(super) struct Push {
    #[serde(default)]
    pub(super) channel: String,
    #[serde(default)]
    pub(super) id: u64,
    #[serde(rename = "pub")]
    pub(super) publication: Option<Value>,
    pub(super) unsubscribe: Option<serde::de::IgnoredAny>,
    /// A new epoch, for a server-side subscription.
    pub(super) subscribe: Option<Subscribed>,
}

#[derive(Deserialize)]
pub(super) struct Subscribed {
    epoch: String,
    offset: u64,
    #[serde(default)]
    pub(super) recovered: bool,
    #[serde(default)]
    pub(super) was_recovering: bool,
    #[serde(default)]
    pub(super) publications: Vec<Value>,
    #[serde(default)]
    pub(super) id: u64,
    #[serde(default)]
    pub(super) delta: bool,
}

impl Subscribed {
    pub(super) fn position(&self) -> Result<Position, &'static str> {
        Ok(Position { epoch: Epoch::parse(&self.epoch).ok_or("no epoch")?, offset: self.offset })
    }
}
