//! What has to hold of the decoder for every input. Shared by the fuzz target and the test that replays its corpus.

use gateway_core::protocol::websocket::{Decoder, Event, Violation};

/// Bytes that a message may have here: small, so that the limit is reached often.
const LIMIT: u32 = 512;

/// An event that owns what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Violation(Violation),
}

impl From<Event<'_>> for Seen {
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

/// The first bytes of `data` say where the rest is cut: one count of pieces, then the size of each. However the rest is cut, the same
/// events come out of it, each within the limit, and the decoder never holds more than the limit and a control frame.
pub fn holds(data: &[u8]) {
    let Some((&count, data)) = data.split_first() else { return };
    let (sizes, stream) = data.split_at(usize::from(count).min(data.len()));
    let whole = decode(stream, &[]);
    assert_eq!(whole, decode(stream, sizes), "cut at the sizes {sizes:?}");
    assert_eq!(whole, decode(stream, &vec![1; stream.len()]), "byte by byte");
}

fn decode(stream: &[u8], sizes: &[u8]) -> Vec<Seen> {
    let (mut decoder, mut seen, mut rest) = (Decoder::new(LIMIT), Vec::new(), stream);
    for size in sizes {
        let (piece, later) = rest.split_at(usize::from(*size).min(rest.len()));
        feed(&mut decoder, piece, &mut seen);
        rest = later;
    }
    feed(&mut decoder, rest, &mut seen);
    seen
}

fn feed(decoder: &mut Decoder, piece: &[u8], seen: &mut Vec<Seen>) {
    let mut piece = piece.to_vec();
    let mut input = &mut piece[..];
    loop {
        let ended = decoder.is_closed();
        let next = match decoder.feed(&mut input) {
            Ok(None) => break,
            Ok(Some(event)) => Seen::from(event),
            Err(violation) => Seen::Violation(violation),
        };
        assert!(!ended, "{next:?} after the end");
        assert!(decoder.buffered() <= LIMIT as usize + 125, "holds {} bytes", decoder.buffered());
        if let Seen::Text(text) = &next {
            assert!(text.len() <= LIMIT as usize);
        }
        if let Seen::Binary(bytes) = &next {
            assert!(bytes.len() <= LIMIT as usize);
        }
        seen.push(next);
    }
    assert!(input.is_empty(), "input is left");
    assert!(decoder.buffered() <= LIMIT as usize + 125, "holds {} bytes", decoder.buffered());
    assert!(decoder.is_mid_message() || decoder.buffered() == 0, "idle, and holds {} bytes", decoder.buffered());
}
