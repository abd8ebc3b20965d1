//! Encodes messages to clients as complete WebSocket frames or parts of a stream, once for all receivers that share an encoding.

use crate::broker::Announcement;
use gateway_core::{
    model::{ChannelName, Position, Publication},
    protocol::{
        Push, Subscribed,
        centrifuge::{DataForm, Encoding, PushChannel},
    },
};
use std::sync::Arc;

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The Centrifuge protocol, in this encoding.
    Centrifuge(Encoding),
    /// STOMP, or an event stream. The form of the deliveries belongs to each subscription.
    WithForm,
}

/// How the deliveries of a subscription are encoded for the Centrifuge protocol. Subscriptions with the same format share batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeliveryFormat(u8);

const COMPACT: u8 = 1;
const DELTAS: u8 = 1 << 1;
/// The encoding is in the bits from this one on.
const ENCODING: u32 = 2;

impl DeliveryFormat {
    /// Number of formats.
    pub(crate) const COUNT: usize = Encoding::ALL.len() << ENCODING;
    /// Number of bits in [`Self::bits`].
    pub(crate) const BITS: u32 = 5;

    /// In a compact format pushes have the channel's number in place of its name. With deltas, publications are deltas to the ones before them.
    pub(crate) fn new(encoding: Encoding, is_compact: bool, has_deltas: bool) -> Self {
        Self((encoding as u8) << ENCODING | if is_compact { COMPACT } else { 0 } | if has_deltas { DELTAS } else { 0 })
    }

    /// The format in the lowest bits.
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    /// The format as bits.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// The number of the format, below [`Self::COUNT`].
    pub(crate) fn index(self) -> usize {
        self.0.into()
    }

    /// The encoding of the connection.
    pub(crate) fn encoding(self) -> Encoding {
        Encoding::ALL.get(usize::from(self.0 >> ENCODING)).copied().unwrap_or(Encoding::JsonMessages)
    }

    /// Whether publications are deltas to the ones before them.
    pub(crate) fn has_deltas(self) -> bool {
        self.0 & DELTAS != 0
    }

    fn is_compact(self) -> bool {
        self.0 & COMPACT != 0
    }
}

/// The two names of a channel in pushes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChannelNames<'a> {
    pub(crate) name: &'a ChannelName,
    /// The number from the replies to compact subscriptions.
    pub(crate) number: u64,
}

impl<'a> ChannelNames<'a> {
    fn in_format(self, format: DeliveryFormat) -> PushChannel<'a> {
        if format.is_compact() { PushChannel::Id(self.number) } else { PushChannel::Name(self.name) }
    }
}

/// Encodes publications of a channel as one message. In a format with deltas, `delta` is the delta of the publication at this index, if the
/// receivers have the one before it.
pub(crate) fn publications<'a>(
    channel: ChannelNames<'_>,
    format: DeliveryFormat,
    publications: &[Arc<Publication>],
    delta: impl Fn(usize) -> Option<&'a [u8]>,
) -> Vec<u8> {
    let mut payload = Vec::new();
    for (at, publication) in publications.iter().enumerate() {
        let form = if format.has_deltas() { DataForm::of(delta(at)) } else { DataForm::Plain };
        format.encoding().codec().append_publication(channel.in_format(format), publication, form, &mut payload);
    }
    format.encoding().frame(&payload)
}

/// Publications of a channel, each encoded on its own.
pub(crate) struct Parts {
    encoding: Encoding,
    payload: Vec<u8>,
    /// Where each publication ends in the payload.
    ends: Vec<u32>,
}

impl Parts {
    pub(crate) fn encode(channel: ChannelNames<'_>, format: DeliveryFormat, publications: &[Arc<Publication>]) -> Self {
        let (mut payload, mut ends, mut part) = (Vec::new(), Vec::with_capacity(publications.len()), Vec::new());
        for publication in publications {
            part.clear();
            format.encoding().codec().append_publication(channel.in_format(format), publication, DataForm::Plain, &mut part);
            payload.extend_from_slice(&part);
            ends.push(payload.len() as u32);
        }
        Self { encoding: format.encoding(), payload, ends }
    }

    /// The publications at these indices as one message.
    pub(crate) fn message(&self, selected: &[u32]) -> Vec<u8> {
        let mut payload = Vec::new();
        for (place, at) in selected.iter().map(|at| *at as usize).enumerate() {
            let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
            payload.extend_from_slice(if place == 0 { b"" } else { self.encoding.codec().separator() });
            payload.extend_from_slice(&self.payload[start..self.ends[at] as usize]);
        }
        self.encoding.frame(&payload)
    }
}

/// Encodes joins and leaves of a channel as one message.
pub(crate) fn announcements(channel: ChannelNames<'_>, format: DeliveryFormat, announcements: &[Announcement]) -> Vec<u8> {
    let (codec, mut payload) = (format.encoding().codec(), Vec::new());
    for announcement in announcements {
        match announcement {
            Announcement::Join(info) => codec.append_join(channel.in_format(format), info, &mut payload),
            Announcement::Leave(info) => codec.append_leave(channel.in_format(format), info, &mut payload),
        }
    }
    format.encoding().frame(&payload)
}

/// Encodes the new position of a server-side subscription.
pub(crate) fn position(channel: &ChannelName, encoding: Encoding, at: Position) -> Vec<u8> {
    let subscribed = Subscribed { position: Some(at), ..Subscribed::default() };
    let mut payload = Vec::new();
    encoding.codec().append_push(&Push::Subscribe(channel.clone(), subscribed), &mut payload);
    encoding.frame(&payload)
}
