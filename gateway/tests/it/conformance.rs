//! RFC 6455's usual conformance cases, strictly: bytes in, frames and close code out. Numbered as the field's common suite numbers
//! them: 1 framing, 2 pings, 3 reserved bits, 4 opcodes, 5 fragmentation, 6 UTF-8, 7 close handling, 9 limits, 10 auto-fragmentation.

use super::{
    client::{Client, Frame, masked, serve, shared},
    echo::Echo,
};
use std::net::SocketAddr;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
/// First and middle fragments.
const TEXT_FIRST: u8 = 0x01;
const BINARY_FIRST: u8 = 0x02;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;

/// What the server must send.
#[derive(Debug, PartialEq, Eq)]
enum Expect {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame with this code, or with no code; then the end of the stream.
    Close(Option<u16>),
}
use Expect::{Binary, Close, Pong, Text};

/// How the bytes are divided into writes.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Bytes,
}

fn normal() -> Vec<u8> {
    masked(CLOSE, &1000u16.to_be_bytes())
}

/// Sends the frames, first in one write and then byte by byte. Checks everything that the server sends until it closes the connection.
fn case(name: &str, frames: &[Vec<u8>], expected: &[Expect]) {
    let bytes = frames.concat();
    for cut in [Cut::Whole, Cut::Bytes] {
        if matches!(cut, Cut::Bytes) && bytes.len() > 20_000 {
            continue;
        }
        assert_eq!(talk(shared(), &bytes, cut), expected, "{name}, {cut:?}");
    }
}

fn talk(address: SocketAddr, bytes: &[u8], cut: Cut) -> Vec<Expect> {
    let mut client = Client::upgraded(address);
    match cut {
        Cut::Whole => client.send(bytes),
        Cut::Bytes => bytes.iter().for_each(|byte| client.send(&[*byte])),
    }
    let mut seen = Vec::new();
    while let Some(frame) = client.frame() {
        seen.push(reported(frame));
    }
    assert!(matches!(seen.last(), Some(Close(_))), "the stream ended without a close frame after {seen:?}");
    seen
}

fn reported(frame: Frame) -> Expect {
    match frame.opcode {
        1 => Text(frame.payload),
        2 => Binary(frame.payload),
        10 => Pong(frame.payload),
        8 => Close(frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
        other => panic!("a server has no reason to send opcode {other}"),
    }
}

fn text(payload: &str) -> Expect {
    Text(payload.into())
}

fn pattern(length: usize) -> Vec<u8> {
    b"*#.-".iter().copied().cycle().take(length).collect()
}

#[test]
fn case_1_messages_of_every_size_come_back() {
    for length in [0, 1, 125, 126, 127, 128, 65535, 65536, 65536 + 997] {
        let payload = pattern(length);
        case("1.1", &[masked(TEXT, &payload), normal()], &[Text(payload.clone()), Close(Some(1000))]);
        case("1.2", &[masked(BINARY, &payload), normal()], &[Binary(payload.clone()), Close(Some(1000))]);
    }
}

#[test]
fn case_2_pings_are_answered_with_their_payload() {
    for payload in [&b""[..], b"hello", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", &[0xFE; 125]] {
        case("2.1-2.4", &[masked(PING, payload), normal()], &[Pong(payload.into()), Close(Some(1000))]);
    }
    case("2.5", &[masked(PING, &[0xFE; 126])], &[Close(Some(1002))]);
    case("2.7", &[masked(PONG, b""), normal()], &[Close(Some(1000))]);
    case("2.8", &[masked(PONG, b"unasked"), normal()], &[Close(Some(1000))]);
    case("2.9", &[masked(PONG, b"unasked"), masked(PING, b"ping"), normal()], &[Pong(b"ping".into()), Close(Some(1000))]);
    let pings: Vec<_> = (0..10).map(|number| masked(PING, &[number])).chain([normal()]).collect();
    let answers: Vec<_> = (0..10).map(|number| Pong(vec![number])).chain([Close(Some(1000))]).collect();
    case("2.10", &pings, &answers);
}

#[test]
fn case_3_reserved_bits_are_refused() {
    let hello = || masked(TEXT, b"Hello, world!");
    for bits in 1..=7u8 {
        let bits = bits << 4;
        for frame in [TEXT, BINARY, PING, PONG, CLOSE] {
            case("3", &[hello(), masked(frame | bits, b"*"), masked(PING, b"")], &[text("Hello, world!"), Close(Some(1002))]);
        }
        case("3, empty", &[masked(TEXT | bits, b"")], &[Close(Some(1002))]);
    }
}

#[test]
fn case_4_reserved_opcodes_are_refused() {
    for opcode in (3..=7).chain(11..=15u8) {
        for payload in [&b""[..], b"reserved"] {
            let frames = [masked(TEXT, b"before"), masked(0x80 | opcode, payload), masked(PING, b"")];
            case("4", &frames, &[text("before"), Close(Some(1002))]);
        }
        case("4, not last", &[masked(opcode, b"")], &[Close(Some(1002))]);
    }
}

#[test]
fn case_5_fragments_and_what_may_come_between_them() {
    let ok = Close(Some(1000));
    case("5.1", &[masked(0x09, b"fragment1"), masked(LAST, b"fragment2")], &[Close(Some(1002))]);
    case("5.2", &[masked(0x0A, b"fragment1"), masked(LAST, b"fragment2")], &[Close(Some(1002))]);
    case("5.3-5.5", &[masked(TEXT_FIRST, b"one"), masked(LAST, b"two"), normal()], &[text("onetwo"), Close(Some(1000))]);
    case(
        "5.6-5.8",
        &[masked(TEXT_FIRST, b"one"), masked(PING, b"ping"), masked(LAST, b"two"), normal()],
        &[Pong(b"ping".into()), text("onetwo"), Close(Some(1000))],
    );
    for first in [LAST, MORE] {
        case("5.9-5.14", &[masked(first, b"stray"), masked(TEXT, b"Hello"), normal()], &[Close(Some(1002))]);
    }
    case("5.15", &[masked(TEXT_FIRST, b"a"), masked(LAST, b"b"), masked(MORE, b"c")], &[text("ab"), Close(Some(1002))]);
    case("5.16-5.17", &[masked(MORE, b"a"), masked(TEXT, b"b"), masked(LAST, b"c")], &[Close(Some(1002))]);
    case("5.18", &[masked(TEXT_FIRST, b"one"), masked(TEXT, b"two")], &[Close(Some(1002))]);
    case("5.18, binary", &[masked(BINARY_FIRST, b"one"), masked(BINARY_FIRST, b"two")], &[Close(Some(1002))]);
    let five = [
        masked(TEXT_FIRST, b"f1"),
        masked(MORE, b"f2"),
        masked(PING, b"pongme 1"),
        masked(MORE, b"f3"),
        masked(PONG, b""),
        masked(MORE, b"f4"),
        masked(PING, b"pongme 2"),
        masked(LAST, b"f5"),
        normal(),
    ];
    case("5.19-5.20", &five, &[Pong(b"pongme 1".into()), Pong(b"pongme 2".into()), text("f1f2f3f4f5"), ok]);
    let empty = [masked(BINARY_FIRST, b""), masked(MORE, b""), masked(LAST, b""), normal()];
    case("empty fragments", &empty, &[Binary(vec![]), Close(Some(1000))]);
    let late = [masked(BINARY_FIRST, b""), masked(MORE, b""), masked(LAST, b"\xFF"), normal()];
    case("only the last fragment has bytes", &late, &[Binary(vec![0xFF]), Close(Some(1000))]);
}

/// Sequences of section 6: valid and invalid ones.
const VALID: &[&[u8]] = &[
    b"",
    "Hello-µ@ßöäüàá-UTF-8!!".as_bytes(),
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
    b"\x00",
    b"\x7f",
    b"\xc2\x80",
    b"\xdf\xbf",
    b"\xe0\xa0\x80",
    b"\xed\x9f\xbf",
    b"\xee\x80\x80",
    b"\xef\xbf\xbd",
    b"\xef\xbf\xbe",
    b"\xef\xbf\xbf",
    b"\xf0\x90\x80\x80",
    b"\xf0\x9f\xbf\xbf",
    b"\xf4\x8f\xbf\xbf",
    b"\xef\xb7\x90",
];
const INVALID: &[&[u8]] = &[
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64",
    b"\x80",
    b"\xbf",
    b"\x80\xbf\x80\xbf",
    b"\xc0\x20",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc2",
    b"\xc2\x20",
    b"\xe0\x80\xaf",
    b"\xe0\x9f\xbf",
    b"\xe0\xa0",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xef\xbf",
    b"\xf0\x80\x80\xaf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf0\x90\x80",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf7\xbf\xbf\xbf",
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xfe",
    b"\xff",
    b"\xfe\xfe\xff\xff",
];

#[test]
fn case_6_text_is_utf8_in_one_frame_and_in_fragments() {
    for valid in VALID {
        case("6, valid", &[masked(TEXT, valid), normal()], &[Text(valid.to_vec()), Close(Some(1000))]);
        case("6, valid, in fragments", &fragments(valid), &[Text(valid.to_vec()), Close(Some(1000))]);
    }
    for invalid in INVALID {
        assert!(std::str::from_utf8(invalid).is_err());
        case("6, invalid", &[masked(TEXT, invalid), normal()], &[Close(Some(1007))]);
        case("6, invalid, in fragments", &fragments(invalid), &[Close(Some(1007))]);
        case("6, invalid within text", &[masked(TEXT, &[b"ok ", *invalid, b" ok"].concat()), normal()], &[Close(Some(1007))]);
    }
}

/// One fragment for each byte, then a normal close.
fn fragments(payload: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = vec![masked(TEXT_FIRST, b"")];
    frames.extend(payload.iter().map(|byte| masked(MORE, &[*byte])));
    frames.push(masked(LAST, b""));
    frames.push(normal());
    frames
}

/// 6.4: The server closes at the first wrong byte, although frame and message are not complete.
#[test]
fn case_6_4_text_is_refused_at_its_first_wrong_byte() {
    let long = masked(TEXT, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited");
    for (name, bytes) in [
        ("in a frame", &long[..6 + 13]),
        ("in a fragment", &[masked(TEXT_FIRST, b"\xce\xba\xe1\xbd"), masked(MORE, b"\xb9\xf4\x90")].concat()),
        ("cut between fragments", &[masked(TEXT_FIRST, b"\xf4"), masked(MORE, b"\x90")].concat()),
    ] {
        assert_eq!(talk(shared(), bytes, Cut::Whole), [Close(Some(1007))], "{name}");
        assert_eq!(talk(shared(), bytes, Cut::Bytes), [Close(Some(1007))], "{name}");
    }
}

#[test]
fn case_7_the_closing_handshake() {
    let frame = |code: u16, reason: &[u8]| masked(CLOSE, &[&code.to_be_bytes(), reason].concat());
    case("7.1.1", &[masked(TEXT, b"Hello"), normal()], &[text("Hello"), Close(Some(1000))]);
    case("7.1.2-7.1.5", &[normal(), normal(), masked(TEXT, b"late"), masked(PING, b"late")], &[Close(Some(1000))]);
    case("7.1.6", &[masked(TEXT, &pattern(256 * 1024)), normal(), masked(PING, b"")], &[Text(pattern(256 * 1024)), Close(Some(1000))]);
    case("within a message", &[masked(TEXT_FIRST, b"never ended"), normal()], &[Close(Some(1000))]);
    case("7.3.1", &[masked(CLOSE, b"")], &[Close(None)]);
    case("7.3.2", &[masked(CLOSE, b"a")], &[Close(Some(1002))]);
    case("7.3.3-7.3.4", &[frame(1000, b"Hello World!")], &[Close(Some(1000))]);
    case("7.3.5", &[frame(1000, &[b'*'; 123])], &[Close(Some(1000))]);
    case("7.3.6", &[frame(1000, &[b'*'; 124])], &[Close(Some(1002))]);
    case("7.5.1", &[frame(1000, b"\xce\xba\xed\xa0\x80edited")], &[Close(Some(1007))]);
    for code in (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]) {
        case("7.7", &[frame(code, b"")], &[Close(Some(code))]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        case("7.9, 7.13", &[frame(code, b"")], &[Close(Some(1002))]);
    }
}

#[test]
fn case_9_limits_hold_for_a_frame_and_for_all_fragments_together() {
    let limit = 100_000;
    let address = serve(Echo { max_message: limit, ..Echo::default() });
    let most = pattern(limit as usize);
    let whole = [masked(BINARY, &most), normal()].concat();
    assert_eq!(talk(address, &whole, Cut::Whole), [Binary(most.clone()), Close(Some(1000))]);
    let split = [masked(BINARY_FIRST, &most[..60_000]), masked(LAST, &most[60_000..]), normal()].concat();
    assert_eq!(talk(address, &split, Cut::Whole), [Binary(most.clone()), Close(Some(1000))]);
    for (name, bytes) in [
        ("one more byte, visible in the header", masked(BINARY, &vec![0; 100_001])[..10].to_vec()),
        ("1 GiB announced", vec![BINARY, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0]),
        ("8 EiB announced", vec![BINARY, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("in fragments", [masked(BINARY_FIRST, &most), masked(LAST, b"1")[..2].to_vec()].concat()),
    ] {
        assert_eq!(talk(address, &bytes, Cut::Whole), [Close(Some(1009))], "{name}");
    }
}

#[test]
fn case_9_large_messages_come_back_in_whatever_pieces() {
    for size in [1, 4, 16].map(|mib| mib * 1024 * 1024) {
        let payload = pattern(size);
        case("9.2", &[masked(BINARY, &payload), normal()], &[Binary(payload.clone()), Close(Some(1000))]);
    }
    let payload = pattern(4 * 1024 * 1024);
    for piece in [64, 4096, 256 * 1024] {
        let mut frames = vec![masked(TEXT_FIRST, b"")];
        frames.extend(payload.chunks(piece).map(|piece| masked(MORE, piece)));
        frames.extend([masked(LAST, b""), normal()]);
        case("9.3", &frames, &[Text(payload.clone()), Close(Some(1000))]);
    }
}

#[test]
fn case_10_a_long_message_keeps_its_order_among_others() {
    let long = pattern(65_536);
    let frames: Vec<_> = (0..20u8).flat_map(|number| [masked(TEXT, &long), masked(BINARY, &[number])]).chain([normal()]).collect();
    let expected: Vec<_> = (0..20u8).flat_map(|number| [Text(long.clone()), Binary(vec![number])]).chain([Close(Some(1000))]).collect();
    case("10.1.1", &frames, &expected);
}

#[test]
fn headers_are_strict_beyond_the_usual_cases() {
    for (name, bytes) in [
        ("not masked", vec![TEXT, 0x02, b'h', b'i']),
        ("not masked, control", vec![PING, 0x00]),
        ("16 bits for 125", vec![TEXT, 0xFE, 0, 125]),
        ("64 bits for 65535", vec![TEXT, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]),
        ("top bit of 64", vec![TEXT, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("a control frame with a 16-bit length", vec![PING, 0xFE]),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ] {
        assert_eq!(talk(shared(), &bytes, Cut::Whole), [Close(Some(1002))], "{name}");
    }
}
