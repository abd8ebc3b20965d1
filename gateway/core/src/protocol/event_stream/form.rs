//! Events of a publication for many streams.
//!
//! The data is the same for all streams that want it in an envelope, and for all that do not. The id differs between streams of several channels.

use super::{
    envelope::envelope,
    event::append_data,
    event_id::{LastEventId, append_position},
    stream_positions::StreamPositions,
};
use crate::model::{ChannelName, Content, Publication};
use shared_proto::json::base64;

/// How the deliveries of one channel are written for one stream. Streams with equal forms get equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EventForm {
    /// The channel is the only one of the stream.
    Single {
        /// The channel, if its data is in an envelope.
        envelope: Option<ChannelName>,
    },
    /// The stream has several channels. The data is in an envelope.
    Several {
        /// The channel.
        channel: ChannelName,
        /// The index of the channel.
        index: usize,
        /// Where the stream is.
        positions: StreamPositions,
    },
}

/// What all forms with the same kind of data share of a publication, encoded once.
#[derive(Debug)]
pub struct EventTemplate {
    has_envelope: bool,
    /// The end of the event, from its data on.
    shared: Vec<u8>,
}

impl EventForm {
    /// Whether the ids differ from those of other streams.
    pub fn has_own_ids(&self) -> bool {
        matches!(self, Self::Several { .. })
    }

    /// Number of channels of the stream.
    pub fn channels(&self) -> usize {
        match self {
            Self::Single { .. } => 1,
            Self::Several { positions, .. } => positions.channels(),
        }
    }

    fn envelope(&self) -> Option<&ChannelName> {
        match self {
            Self::Single { envelope } => envelope.as_ref(),
            Self::Several { channel, .. } => Some(channel),
        }
    }

    /// Appends the event. What is appended has to be sent in this order, because each id has all that was sent before.
    ///
    /// `template` has to [fit](EventTemplate::fits), and to be of this publication.
    pub fn append(&self, template: &EventTemplate, publication: &Publication, out: &mut Vec<u8>) {
        debug_assert!(template.fits(self));
        out.reserve(template.shared.len() + LastEventId::MAX);
        // Without an id a client keeps its last one.
        if let Some(at) = publication.position {
            out.extend_from_slice(b"id: ");
            match self {
                Self::Single { .. } => append_position(at, out),
                Self::Several { index, positions, .. } => positions.advance(*index, at, out),
            }
            out.push(b'\n');
        }
        out.extend_from_slice(&template.shared);
    }
}

impl EventTemplate {
    /// Encodes a publication for this form and all that are like it.
    pub fn new(form: &EventForm, publication: &Publication) -> Self {
        let mut shared = Vec::new();
        match (form.envelope(), &publication.content) {
            (Some(channel), _) => append_data(&envelope(channel, publication), &mut shared),
            (None, Content::Bytes(bytes)) => append_data(base64::encode(bytes).as_bytes(), &mut shared),
            (None, content) => append_data(content.as_bytes(), &mut shared),
        }
        Self { has_envelope: form.envelope().is_some(), shared }
    }

    /// Whether the template has the data that a form of the same channel wants.
    pub fn fits(&self, form: &EventForm) -> bool {
        self.has_envelope == form.envelope().is_some()
    }
}
