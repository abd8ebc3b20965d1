//! The parser reads the same frames however the stream is cut, and whatever stands between them.

use super::*;
use ClientCommand::{Connect, Disconnect, Send, Subscribe};

#[test]
fn a_parser_is_small_and_holds_no_memory_between_frames() {
    assert!(size_of::<Parser>() <= 160, "{} bytes", size_of::<Parser>());
    let mut parser = connected(Version::V1_2);
    assert_eq!(read_all(&mut parser, [&b"SEND\na:b\n\nbody"[..]]), (vec![], None));
    assert!(parser.is_mid_frame() && parser.buffered() > 4);
    assert_eq!(read_all(&mut parser, [&b"\0\r\n\n\0"[..]]).0.len(), 1);
    assert_eq!((parser.is_mid_frame(), parser.buffered()), (false, 0));
    let many = [&b"SEND\n\nbody\0".repeat(1000)[..], b"SE"].concat();
    assert_eq!(read_all(&mut parser, [&many[..]]).0.len(), 1000);
    assert!(parser.is_mid_frame() && parser.buffered() < 16, "{} bytes", parser.buffered());
}

#[test]
fn frames_of_real_clients_are_read() {
    let stompjs = b"CONNECT\naccept-version:1.2,1.1,1.0\nheart-beat:10000,10000\npasscode:a\\b:c\n\n\0";
    let expected = frame(Connect, &[("accept-version", "1.2,1.1,1.0"), ("heart-beat", "10000,10000"), ("passcode", "a\\b:c")], b"");
    assert_eq!(read_all(&mut Parser::new(LIMITS), [&stompjs[..]]), (vec![expected], None));

    let oldest = b"CONNECT\nlogin: guest \npasscode:\t1\n\n\0\n";
    let expected = frame(Connect, &[("login", "guest"), ("passcode", "1")], b"");
    assert_eq!(read_all(&mut Parser::new(LIMITS), [&oldest[..]]), (vec![expected], None), "1.0 pads values");

    let unknown = b"STOMP\naccept-version:1.2\nlogin: x\n\n\0";
    assert_eq!(read_all(&mut Parser::new(LIMITS), [&unknown[..]]).0[0].headers.get("login"), Some(" x"), "1.2 does not");

    let crlf = b"\r\nSUBSCRIBE\r\nid:1\r\ndestination:/topic/a\r\n\r\n\0\r\nDISCONNECT\r\nreceipt:2\r\n\r\n\0";
    let expected = vec![frame(Subscribe, &[("id", "1"), ("destination", "/topic/a")], b""), frame(Disconnect, &[("receipt", "2")], b"")];
    assert_eq!(read_all(&mut connected(Version::V1_1), [&crlf[..]]), (expected, None));

    let binary = b"SEND\ncontent-length:3\ncontent-length:9\nx:1\nx:2\n\n\0\n\0\0";
    let expected = frame(Send, &[("content-length", "3"), ("x", "1")], b"\0\n\0");
    assert_eq!(read_all(&mut connected(Version::V1_2), [&binary[..]]), (vec![expected], None), "the first header wins");
}

#[test]
fn every_escape_is_read_as_its_version_says() {
    for (version, value, expected) in [
        (Version::V1_2, "\\r\\n\\c\\\\ \\\\n", "\r\n:\\ \\n"),
        (Version::V1_1, "\\n\\c\\\\ \\\\r", "\n:\\ \\r"),
        (Version::V1_0, "\\r\\n\\c\\\\ \\t", "\\r\\n\\c\\\\ \\t"),
        (Version::V1_2, "a:b", "a:b"),
    ] {
        let input = format!("SEND\nname{}:{value}\n\n\0", value.replace(':', ""));
        let (frames, bad) = read_all(&mut connected(version), [input.as_bytes()]);
        assert_eq!(bad, None);
        assert_eq!(frames[0].headers.iter().next(), Some((&*format!("name{}", expected.replace("a:b", "ab")), expected)), "{version}");
    }
}

#[test]
fn bytes_after_connect_wait_until_the_version_is_set() {
    let mut parser = Parser::new(LIMITS);
    parser.push(b"CONNECT\naccept-version:1.2\n\n\0SEND\na:\\c\n\n\0");
    assert_eq!(parser.next().expect("valid").map(|frame| frame.command), Some(Connect));
    assert!(parser.is_mid_frame());
    parser.set_version(Version::V1_2);
    assert_eq!(parser.next(), Ok(Some(frame(Send, &[("a", ":")], b""))));
    assert_eq!((parser.next(), parser.is_mid_frame()), (Ok(None), false));
}

/// Header names and values that a client of the version can send.
fn texts(version: Version, is_name: bool) -> BoxedStrategy<String> {
    let pattern = match (version, is_name) {
        (Version::V1_0, true) => "[a-zé\\\\]{1,6}",
        (Version::V1_0, false) => "([a-zé:\\\\]([a-zé:\\\\ ]{0,6}[a-zé:\\\\])?)?",
        (Version::V1_1, true) => "[a-zé:\\\\\n ]{1,6}",
        (Version::V1_1, false) => "[a-zé:\\\\\n ]{0,8}",
        (Version::V1_2, true) => "[a-zé:\\\\\r\n ]{1,6}",
        (Version::V1_2, false) => "[a-zé:\\\\\r\n ]{0,8}",
    };
    pattern.boxed()
}

fn frames(version: Version) -> impl Strategy<Value = Frame> {
    let commands = prop::sample::select(&[Send, Send, Send, Subscribe, Disconnect, ClientCommand::Nack][..]);
    let headers = prop::collection::vec((texts(version, true), texts(version, false)), 0..4);
    (commands, headers, prop::collection::vec(prop::sample::select(&b"ab\0\n\r\xff"[..]), 0..20)).prop_map(|(command, headers, body)| {
        let body = if command == Send { body } else { Vec::new() };
        let length = body.contains(&0).then(|| ("content-length".to_owned(), body.len().to_string()));
        let headers = headers.iter().chain(&length).map(|(name, value)| (&**name, &**value)).collect();
        Frame { command, headers, body }
    })
}

/// A stream with its frames.
fn streams() -> impl Strategy<Value = (Version, Vec<Frame>, Vec<u8>)> {
    let between = prop::sample::select(&["", "", "\n", "\r\n", "\0", "\n\n\0\r\n"][..]);
    let ends = prop::sample::select(&["\n", "\r\n"][..]);
    let all = versions()
        .prop_flat_map(move |version| (Just(version), prop::collection::vec((frames(version), ends.clone(), between.clone()), 1..5)));
    all.prop_map(|(version, parts)| {
        let mut bytes = Vec::new();
        for (frame, end, between) in &parts {
            bytes.extend(between.bytes());
            append_frame(version, frame, end, &mut bytes);
        }
        (version, parts.into_iter().map(|(frame, ..)| frame).collect(), bytes)
    })
}

/// An error without what it shows of the input, which depends on how much of the line had arrived.
fn kind(result: (Vec<Frame>, Option<BadFrame>)) -> (Vec<Frame>, Option<BadFrame>) {
    let kind = |bad| if matches!(bad, BadFrame::UnknownCommand(_)) { BadFrame::unknown_command(b"") } else { bad };
    (result.0, result.1.map(kind))
}

proptest! {
    #[test]
    fn a_stream_cut_at_any_byte_has_the_same_frames((version, frames, bytes) in streams()) {
        for cut in 0..=bytes.len() {
            let mut parser = connected(version);
            prop_assert_eq!(read_all(&mut parser, [&bytes[..cut], &bytes[cut..]]), (frames.clone(), None), "cut at {}", cut);
            prop_assert_eq!((parser.is_mid_frame(), parser.buffered()), (false, 0));
        }
        prop_assert_eq!(read_all(&mut connected(version), bytes.chunks(1)), (frames, None));
    }

    #[test]
    fn a_cut_stream_has_the_whole_frames_before_the_cut((version, frames, bytes) in streams(), cut in any::<prop::sample::Index>()) {
        let end = cut.index(bytes.len());
        let mut parser = connected(version);
        let (read, bad) = read_all(&mut parser, [&bytes[..end]]);
        prop_assert_eq!(&read[..], &frames[..read.len()]);
        prop_assert_eq!(bad, None);
    }

    #[test]
    fn bad_bytes_never_panic_and_mean_the_same_however_they_are_cut(
        version in versions(),
        is_connected in any::<bool>(),
        pieces in prop::collection::vec(prop::sample::select(&[
            "SEND", "CONNECT", "ACK", "\n", "\n", "\r\n", "\r", "\0", "\0", "a:b", "content-length:", "2", "120", "\\c", "\\", "\u{ff}", "x", ":",
            "accept-version:1.2", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ][..]), 0..30),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = pieces.concat().into_bytes();
        let parser = || if is_connected { connected(version) } else { Parser::new(LIMITS) };
        let whole = kind(read_all(&mut parser(), [&bytes[..]]));
        let cut = cut.index(bytes.len() + 1);
        prop_assert_eq!(&kind(read_all(&mut parser(), [&bytes[..cut], &bytes[cut..]])), &whole);
        prop_assert_eq!(kind(read_all(&mut parser(), bytes.chunks(1))), whole);
    }

    #[test]
    fn any_bytes_never_panic(version in versions(), bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,40}") {
        read_all(&mut connected(version), [&bytes[..]]);
        read_all(&mut Parser::new(LIMITS), [&bytes[..]]);
        let _ = (sockjs_unwrap(&text), HeartBeat::parse(Some(&text)), Version::negotiate(Some(&text)), sub_protocol([&*text]));
    }
}

#[test]
fn the_debug_text_of_a_parser_has_nothing_of_the_client() {
    let mut parser = Parser::new(ParserLimits::before_connect());
    parser.push(b"CONNECT\npasscode:top");
    assert_eq!(parser.next(), Ok(None));
    assert_eq!(format!("{parser:?}"), "Parser { version: None, buffered: 12, .. }");
}
