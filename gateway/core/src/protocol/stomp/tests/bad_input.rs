//! Each kind of bad input, with the sentence for it.

use super::*;
use Version::{V1_0, V1_1, V1_2};

/// Input of a client after CONNECT with this version, or before CONNECT; and the sentence.
const TABLE: &[(Option<Version>, &[u8], &str)] = &[
    (None, b"{\"connect\":{},\"id\":1}", "\"{connect{},id1}\" is no STOMP command of clients"),
    (None, b"\x16\x03\x01", "\"\" is no STOMP command of clients"),
    (None, b"GET / HTTP/1.1\r\n\r\n", "\"GET / HTTP/1.1\" is no STOMP command of clients"),
    (None, b"connect\n\n\0", "\"connect\" is no STOMP command of clients"),
    (None, b"SEND\ndestination:/topic/a\n\n\0", "the first frame is SEND, but has to be CONNECT or STOMP"),
    (None, b"CONNECT\n\nbody\0", "CONNECT has a body, but only SEND may have one"),
    (Some(V1_2), b"MESSAGE\n\n\0", "\"MESSAGE\" is no STOMP command of clients"),
    (Some(V1_2), b"SENDER\n\n\0", "\"SENDER\" is no STOMP command of clients"),
    (Some(V1_2), b" SEND\n\n\0", "\" SEND\" is no STOMP command of clients"),
    (Some(V1_2), b"SEND\r\r\n\n\0", "\"SEND\" is no STOMP command of clients"),
    (Some(V1_2), &[b'A'; 100], "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" is no STOMP command of clients"),
    (Some(V1_2), b"\r\rSEND\n\n\0", "a carriage return stands without a line feed"),
    (Some(V1_2), b"\n\rSEND\n\n\0", "a carriage return stands without a line feed"),
    (Some(V1_2), b"\r\0SEND\n\n\0", "a carriage return stands without a line feed"),
    (Some(V1_2), b"SEND\na:b\rc:d\n\n\0", "a carriage return stands without a line feed"),
    (Some(V1_0), b"SEND\na:b\r\r\n\n\0", "a carriage return stands without a line feed"),
    (Some(V1_2), b"DISCONNECT\0", "a frame ends in its headers; an empty line has to stand"),
    (Some(V1_2), b"DISCONNECT\nreceipt:1\n\0", "a frame ends in its headers; an empty line has to stand"),
    (Some(V1_2), b"SEND\na:\0\n\n\0", "a frame ends in its headers; an empty line has to stand"),
    (Some(V1_2), b"SEND\ndestination\n\n\0", "a header line has no colon after its name"),
    (Some(V1_2), b"SEND\n:/topic/a\n\n\0", "a header line has no colon after its name"),
    (Some(V1_0), b"SEND\n :/topic/a\n\n\0", "a header line has no colon after its name"),
    (Some(V1_2), b"SEND\ndestination:/topic/a\nhello\0", "a frame ends in its headers"),
    (Some(V1_2), b"SEND\na:\xff\n\n\0", "a header is not UTF-8"),
    (
        Some(V1_2),
        b"SEND\na:\\t\n\n\0",
        "a header has a backslash that begins no escape of STOMP 1.2; a backslash in a header is written twice",
    ),
    (Some(V1_2), b"SEND\n\\a:b\n\n\0", "a header has a backslash that begins no escape of STOMP 1.2"),
    (Some(V1_1), b"SEND\na:\\r\n\n\0", "a header has a backslash that begins no escape of STOMP 1.1"),
    (Some(V1_2), b"SEND\na:b\\\n\n\0", "a header has a backslash that begins no escape of STOMP 1.2"),
    (Some(V1_2), b"SEND\na:1\nb:2\na:3\na:\na:\na:\na:\na:\na:\na:\na:\n\n\0", "a frame has more than 10 headers"),
    (Some(V1_2), b"SEND\ncontent-length:five\n\nhello\0", "content-length is no number"),
    (Some(V1_2), b"SEND\ncontent-length:-1\n\nhello\0", "content-length is no number"),
    (Some(V1_2), b"SEND\ncontent-length:\n\nhello\0", "content-length is no number"),
    (Some(V1_2), b"SEND\ncontent-length:101\n\n", "the body of a frame has more than 100 bytes"),
    (Some(V1_2), b"SEND\ncontent-length:99999999999999999999999\n\n", "the body of a frame has more than 100 bytes"),
    (Some(V1_2), b"SEND\ncontent-length:4\n\nhello\0", "no NUL byte follows the body; content-length has to be the number of bytes"),
    (Some(V1_2), b"SUBSCRIBE\nid:1\ncontent-length:5\n\nhello\0", "SUBSCRIBE has a body, but only SEND may have one"),
    (Some(V1_2), b"ACK\nid:1\n\n\n\0", "ACK has a body, but only SEND may have one"),
];

#[test]
fn each_bad_input_has_its_sentence_and_nothing_is_read_of_it() {
    for (version, input, sentence) in TABLE {
        let mut parser = Parser::new(LIMITS);
        if let Some(version) = version {
            parser.set_version(*version);
        }
        let (frames, bad) = read_all(&mut parser, [*input]);
        let bad = bad.unwrap_or_else(|| panic!("accepted: {}", input.escape_ascii())).to_string();
        assert!(bad.starts_with(sentence), "{}: {bad}", input.escape_ascii());
        assert!(frames.is_empty());
        assert_eq!((parser.buffered(), parser.is_mid_frame()), (0, false), "nothing is kept");
        assert!(!bad.contains([':', '\\', '\r', '\n']), "needs escapes: {bad}");
        assert!(bad.contains(['?', ';']) || bad.contains("has to be") || bad.contains("UTF-8"), "has no cure: {bad}");
    }
}

#[test]
fn frames_before_a_bad_one_are_read() {
    let (frames, bad) = read_all(&mut connected(V1_2), [&b"SEND\n\na\0ACK\n\nb\0SEND\n\nc\0"[..]]);
    assert_eq!((frames, bad), (vec![frame(ClientCommand::Send, &[], b"a")], Some(BadFrame::UnexpectedBody(ClientCommand::Ack))));
}

#[test]
fn the_limits_are_exact() {
    let lines = |length: usize| [&b"SEND\na:"[..], &vec![b'x'; length - 9], b"\n\n"].concat();
    for (length, fits) in [(LIMITS.header_bytes, true), (LIMITS.header_bytes + 1, false)] {
        let head = lines(length);
        assert_eq!(head.len(), length);
        let (frames, bad) = read_all(&mut connected(V1_2), [&head[..], b"\0"]);
        assert_eq!((frames.len(), bad), if fits { (1, None) } else { (0, Some(BadFrame::LongHead(300))) });
    }
    for with_length in [false, true] {
        for (length, fits) in [(LIMITS.body_bytes, true), (LIMITS.body_bytes + 1, false)] {
            let header = if with_length { format!("content-length:{length}\n") } else { String::new() };
            let input = [b"SEND\n", header.as_bytes(), b"\n", &vec![b'x'; length], b"\0"].concat();
            let (frames, bad) = read_all(&mut connected(V1_2), [&input[..]]);
            assert_eq!((frames.len(), bad), if fits { (1, None) } else { (0, Some(BadFrame::LongBody(100))) });
        }
    }
    let headers = |count: usize| format!("SEND\n{}\n\0", "a:\n".repeat(count));
    assert_eq!(read_all(&mut connected(V1_2), [headers(10).as_bytes()]).0.len(), 1);
    assert_eq!(read_all(&mut connected(V1_2), [headers(11).as_bytes()]).1, Some(BadFrame::ManyHeaders(10)));
}

#[test]
fn a_violation_is_reported_at_the_first_byte_that_shows_it() {
    let head = format!("SEND\na:{}", "x".repeat(LIMITS.header_bytes));
    let body = format!("SEND\n\n{}", "x".repeat(LIMITS.body_bytes + 1));
    for (input, bytes) in [
        (&head[..], LIMITS.header_bytes),
        (&body, "SEND\n\n".len() + LIMITS.body_bytes + 1),
        ("GET /", 1),
        ("SENT", 4),
        ("\rSEND", 2),
        ("SEND\na:\0", 8),
        ("SEND\na\n", 7),
        ("SEND\ncontent-length:101\n\n", 25),
        ("SEND\ncontent-length:1\n\nab", 25),
        ("ACK\n\nb", 6),
    ] {
        let mut parser = connected(V1_2);
        assert_eq!(read_all(&mut parser, [&input.as_bytes()[..bytes - 1]]), (vec![], None), "{input}");
        assert!(read_all(&mut parser, [&input.as_bytes()[bytes - 1..bytes]]).1.is_some(), "{input}");
    }
}

#[test]
fn before_connect_a_frame_has_at_most_16_kib() {
    let limit = ParserLimits::before_connect().header_bytes;
    for (length, fits) in [(limit, true), (limit + 1, false)] {
        let head = [&b"CONNECT\na:"[..], &vec![b'x'; length - 12], b"\n\n"].concat();
        let mut parser = Parser::new(LIMITS);
        parser.push(&head);
        parser.push(b"\0");
        assert_eq!(parser.next().map(|frame| frame.is_some()), if fits { Ok(true) } else { Err(BadFrame::LongHead(limit)) });
    }
    let mut parser = Parser::new(LIMITS);
    parser.push(b"CONNECT\npasscode:");
    for _ in 0..100 {
        parser.push(&[b'x'; 1000]);
        assert!(parser.buffered() <= 3 * limit, "{} bytes", parser.buffered());
        if parser.next().is_err() {
            assert_eq!(parser.buffered(), 0);
            return;
        }
    }
    panic!("no error");
}
