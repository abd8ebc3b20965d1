//! The settings of ingest.

use crate::settings;
use gateway_core::{channel::Glob, model::ChannelName};

/// The settings of ingest.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// The name of this node.
    pub node: Box<str>,
    /// The channels that ingest may publish into.
    pub channels: Patterns,
    /// Number of partitions, at least 1.
    pub partitions: u16,
    /// Number of entries in one read. Twice as many may be in memory.
    pub batch: usize,
    /// Bytes of all fields of one entry. Larger ones become dead letters.
    pub entry_bytes: usize,
}

/// Patterns of channel names.
#[derive(Clone, Debug)]
pub struct Patterns(std::sync::Arc<[Glob]>);

impl Patterns {
    /// `*` matches any number of characters, `?` exactly one, and every other character itself.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        Self(patterns.into_iter().map(Glob::new).collect())
    }

    /// Whether one of them matches the name.
    pub fn match_any(&self, channel: &ChannelName) -> bool {
        self.0.iter().any(|pattern| pattern.matches(channel))
    }
}

impl IngestConfig {
    /// Bytes of an entry besides its data and its tags: names of fields, channel, key, producer and trace context.
    const REST: usize = 4 << 10;

    /// None if ingest is off.
    pub fn new(settings: &settings::Settings) -> Option<Self> {
        let ingest = &settings.ingest;
        if ingest.channels.is_empty() {
            return None;
        }
        let publication = settings.connection.data_size.bytes() + 2 * settings.publish.tag_bytes.bytes() + Self::REST;
        let entry_bytes = match ingest.entry_bytes.bytes() {
            0 => publication,
            bytes => bytes,
        };
        Some(Self {
            node: settings.node.name.as_str().into(),
            channels: Patterns::new(ingest.channels.iter().map(String::as_str)),
            partitions: ingest.partitions,
            batch: ingest.batch,
            entry_bytes,
        })
    }
}
