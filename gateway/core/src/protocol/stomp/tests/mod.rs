mod agreement;
mod bad_input;
mod messages;
mod stream;

use super::{
    testing::{Received, append_frame, read_messages},
    *,
};
use proptest::prelude::*;

const LIMITS: ParserLimits = ParserLimits { headers: 10, header_bytes: 300, body_bytes: 100 };

/// A parser after CONNECT.
fn connected(version: Version) -> Parser {
    let mut parser = Parser::new(LIMITS);
    parser.set_version(version);
    parser
}

/// The frames in the pieces, and the error after them.
fn read_all<'a>(parser: &mut Parser, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<BadFrame>) {
    let mut frames = Vec::new();
    for piece in pieces {
        parser.push(piece);
        loop {
            match parser.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(bad) => return (frames, Some(bad)),
            }
        }
        assert!(parser.buffered() <= most_memory(LIMITS), "{} bytes", parser.buffered());
    }
    (frames, None)
}

/// Most bytes that a parser holds after it has read what it can.
fn most_memory(limits: ParserLimits) -> usize {
    let headers = limits.header_bytes + 2 * limits.headers * size_of::<(Box<str>, Box<str>)>();
    2 * limits.header_bytes.max(limits.body_bytes) + headers + 64
}

fn frame(command: ClientCommand, headers: &[(&str, &str)], body: &[u8]) -> Frame {
    Frame { command, headers: headers.iter().copied().collect(), body: body.to_vec() }
}

fn versions() -> impl Strategy<Value = Version> {
    prop::sample::select(&Version::ALL[..])
}

fn framings() -> impl Strategy<Value = Framing> {
    prop::sample::select(vec![Framing::WebSocket, Framing::SockJs])
}
