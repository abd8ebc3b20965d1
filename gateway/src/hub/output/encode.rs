//! Encodes lines of the frontend protocol as complete WebSocket frames, once for all receivers.

use crate::broker::Announcement;
use gateway_core::{
    model::{ChannelName, Position, Publication},
    protocol::{Push, Subscribed, centrifuge, websocket},
};
use std::sync::Arc;

/// Encodes lines as one text message.
pub fn message<T>(lines: impl IntoIterator<Item = T>, mut encode: impl FnMut(T, &mut Vec<u8>)) -> Vec<u8> {
    let mut payload = Vec::new();
    for line in lines {
        if !payload.is_empty() {
            payload.push(b'\n');
        }
        encode(line, &mut payload);
    }
    frame(&payload)
}

/// Encodes one text frame.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + websocket::encode::MAX_HEADER);
    websocket::encode::header(websocket::Opcode::Text, payload.len(), &mut out);
    out.extend_from_slice(payload);
    out
}

/// Encodes publications of a channel as one message.
pub(crate) fn publications(channel: &ChannelName, publications: &[Arc<Publication>]) -> Vec<u8> {
    message(publications, |publication, out| centrifuge::encode_publication(channel, publication, out))
}

/// Encodes the new position of a server-side subscription.
pub(crate) fn position(channel: &ChannelName, at: Position) -> Vec<u8> {
    let subscribed = Subscribed { position: Some(at), ..Subscribed::default() };
    message([Push::Subscribe(channel.clone(), subscribed)], |push, out| centrifuge::encode_push(&push, out))
}

/// Encodes joins and leaves of a channel as one message.
pub(crate) fn announcements(channel: &ChannelName, announcements: Vec<Announcement>) -> Vec<u8> {
    message(announcements, |announcement, out| {
        let push = match announcement {
            Announcement::Join(info) => Push::Join(channel.clone(), info),
            Announcement::Leave(info) => Push::Leave(channel.clone(), info),
        };
        centrifuge::encode_push(&push, out);
    })
}
