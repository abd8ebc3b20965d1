//! The invariant of the decoder. The fuzz target checks it with generated inputs, and a test with the inputs of the corpus.

use gateway_core::protocol::websocket::{Decoder, Event, Violation};

/// Limit of a message in bytes. It is small, so that many inputs reach it.
const MESSAGE_LIMIT: u32 = 512;

/// An [`Event`] that owns its data, or the error.
#[derive(Clone, Debug, PartialEq, Eq)]
enum OwnedEvent {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Violation(Violation),
}

impl From<Event<'_>> for OwnedEvent {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into()),
            Event::Binary(bytes) => Self::Binary(bytes.into()),
            Event::Ping(payload) => Self::Ping(payload.into()),
            Event::Pong(payload) => Self::Pong(payload.into()),
            Event::Close(code, reason) => Self::Close(code, reason.into()),
        }
    }
}

/// Checks that the decoder returns the same events however its input is split, that each event is within the limit, and that the decoder
/// never buffers more than the limit and a control frame.
///
/// The first byte of `data` is a number of pieces, and the next bytes are their sizes. The rest is the input of the decoder.
pub fn check(data: &[u8]) {
    let Some((&count, data)) = data.split_first() else { return };
    let (sizes, stream) = data.split_at(usize::from(count).min(data.len()));
    let whole = decode(stream, &[]);
    assert_eq!(whole, decode(stream, sizes), "pieces of the sizes {sizes:?}");
    assert_eq!(whole, decode(stream, &vec![1; stream.len()]), "byte by byte");
}

fn decode(stream: &[u8], sizes: &[u8]) -> Vec<OwnedEvent> {
    let (mut decoder, mut events, mut rest) = (Decoder::new(MESSAGE_LIMIT), Vec::new(), stream);
    for size in sizes {
        let (piece, later) = rest.split_at(usize::from(*size).min(rest.len()));
        feed(&mut decoder, piece, &mut events);
        rest = later;
    }
    feed(&mut decoder, rest, &mut events);
    events
}

fn feed(decoder: &mut Decoder, piece: &[u8], events: &mut Vec<OwnedEvent>) {
    let mut piece = piece.to_vec();
    let mut input = &mut piece[..];
    loop {
        let ended = decoder.is_closed();
        let next = match decoder.feed(&mut input) {
            Ok(None) => break,
            Ok(Some(event)) => OwnedEvent::from(event),
            Err(violation) => OwnedEvent::Violation(violation),
        };
        assert!(!ended, "{next:?} after the end");
        assert!(decoder.buffered() <= MESSAGE_LIMIT as usize + 125, "the decoder buffers {} bytes", decoder.buffered());
        if let OwnedEvent::Text(text) = &next {
            assert!(text.len() <= MESSAGE_LIMIT as usize);
        }
        if let OwnedEvent::Binary(bytes) = &next {
            assert!(bytes.len() <= MESSAGE_LIMIT as usize);
        }
        events.push(next);
    }
    assert!(input.is_empty(), "the decoder left input unread");
    assert!(decoder.buffered() <= MESSAGE_LIMIT as usize + 125, "the decoder buffers {} bytes", decoder.buffered());
    assert!(decoder.is_mid_message() || decoder.buffered() == 0, "the decoder is idle and buffers {} bytes", decoder.buffered());
}
