use super::{encode, mask::unmask, *};
use proptest::{collection::vec, prelude::*};

const LIMIT: u32 = 1000;

/// An event that owns its data, or a violation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Refused(Violation),
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

/// Decodes one piece of input. Returns its events.
fn feed(decoder: &mut Decoder, piece: &[u8]) -> Vec<Seen> {
    let mut piece = piece.to_vec();
    let (mut input, mut seen) = (&mut piece[..], Vec::new());
    loop {
        match decoder.feed(&mut input) {
            Ok(Some(event)) => seen.push(event.into()),
            Ok(None) => break,
            Err(violation) => seen.push(Seen::Refused(violation)),
        }
    }
    assert!(input.is_empty());
    seen
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut decoder = Decoder::new(LIMIT);
    pieces.into_iter().flat_map(|piece| feed(&mut decoder, piece)).collect()
}

/// Encodes a frame of a client, with its length in the shortest form.
fn frame(first: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode::header(Opcode::Text, payload.len(), &mut frame);
    frame[0] = first;
    frame[1] |= 0x80;
    frame.extend(key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

fn text(payload: &[u8]) -> Vec<u8> {
    frame(0x81, payload, [1, 2, 3, 4])
}

#[test]
fn a_decoder_is_small_and_has_no_buffer_between_messages() {
    assert!(size_of::<Decoder>() <= 64, "{} bytes", size_of::<Decoder>());
    let mut decoder = Decoder::new(LIMIT);
    assert_eq!(feed(&mut decoder, &text(&[b'x'; 900])), [Seen::Text("x".repeat(900))]);
    assert_eq!((decoder.buffered(), decoder.is_mid_message()), (0, false), "a frame that is complete in the input is not copied");
    let cut = text(&[b'x'; 900]);
    assert_eq!(feed(&mut decoder, &cut[..500]), []);
    assert!(decoder.buffered() >= 400 && decoder.is_mid_message());
    assert_eq!(feed(&mut decoder, &cut[500..]).len(), 1);
    assert_eq!((decoder.buffered(), decoder.is_mid_message()), (0, false), "the buffer is freed with the message");
}

#[test]
fn a_completed_message_is_reported_once_and_a_ping_between_fragments_is_not() {
    let mut decoder = Decoder::new(LIMIT);
    let whole = |decoder: &mut Decoder, bytes: &[u8]| {
        feed(decoder, bytes);
        (decoder.take_completed(), decoder.take_completed())
    };
    assert_eq!(whole(&mut decoder, &frame(0x01, b"first", [0; 4])), (false, false));
    assert_eq!(whole(&mut decoder, &frame(0x89, b"ping", [0; 4])), (false, false));
    assert_eq!(whole(&mut decoder, &frame(0x80, b"last", [0; 4])), (true, false));
    assert_eq!(whole(&mut decoder, &frame(0x89, b"ping", [0; 4])), (true, false));
    assert_eq!(whole(&mut decoder, &[text(b"whole"), text(b"cut")[..5].to_vec()].concat()), (true, false));
}

#[test]
fn a_message_is_incomplete_from_its_first_byte_to_its_last() {
    let mut decoder = Decoder::new(LIMIT);
    let bytes = [frame(0x01, b"a", [0; 4]), frame(0x89, b"p", [0; 4]), frame(0x80, b"b", [0; 4])].concat();
    for (at, byte) in bytes.iter().enumerate() {
        feed(&mut decoder, &[*byte]);
        assert_eq!(decoder.is_mid_message(), at + 1 < bytes.len(), "after byte {at}");
    }
}

#[test]
fn a_frame_cut_at_any_byte_is_the_same_frame() {
    for payload in [0, 1, 3, 4, 5, 125, 126, 127, 300].map(|length| "é".repeat(length / 2) + &"x".repeat(length % 2)) {
        for first in [0x81, 0x82, 0x89, 0x8A] {
            if first > 0x88 && payload.len() > 125 {
                continue;
            }
            let bytes = [frame(first, payload.as_bytes(), [9, 8, 7, 6]), text(b"next")].concat();
            let whole = decode([&bytes[..]]);
            assert_eq!(whole.len(), 2);
            for cut in 0..=bytes.len() {
                assert_eq!(decode([&bytes[..cut], &bytes[cut..]]), whole, "{first:#x} of {} cut at {cut}", payload.len());
            }
        }
    }
}

#[test]
fn a_violation_is_reported_at_the_first_byte_that_shows_it() {
    use Violation as V;
    let first = frame(0x01, b"a", [0; 4]);
    let then = |byte: u8| [&first[..], &[byte]].concat();
    let cases: Vec<(Vec<u8>, Violation)> = vec![
        (vec![0xC1], V::ReservedBits),
        (vec![0xA1], V::ReservedBits),
        (vec![0x91], V::ReservedBits),
        (vec![0x83], V::ReservedOpcode(3)),
        (vec![0x8F], V::ReservedOpcode(15)),
        (vec![0x80], V::NothingToContinue),
        (vec![0x00], V::NothingToContinue),
        (vec![0x09], V::FragmentedControl),
        (vec![0x08], V::FragmentedControl),
        (then(0x81), V::Interleaved),
        (then(0x02), V::Interleaved),
        (vec![0x81, 0x00], V::Unmasked),
        (vec![0x89, 0xFE], V::LongControl),
        (vec![0x88, 0xFF], V::LongControl),
        (vec![0x81, 0xFE, 0, 125], V::LongLength),
        (vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], V::LongLength),
        (vec![0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], V::LengthOverflow),
        (vec![0x81, 0xFE, 0x03, 0xE9], V::TooLarge { limit: LIMIT }),
        (vec![0x82, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0], V::TooLarge { limit: LIMIT }),
        (vec![0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255], V::TooLarge { limit: LIMIT }),
        ([&first[..], &[0x80, 0xFE, 0x03, 0xE8]].concat(), V::TooLarge { limit: LIMIT }),
        (frame(0x88, b"\x03", [0; 4]), V::ShortClose),
        (frame(0x88, b"\x03\xEC", [0; 4]), V::CloseCode(1004)),
        (frame(0x88, b"\x03\xE8\xFF", [0; 4]), V::NotUtf8),
        (text(b"ok\xFF")[..9].into(), V::NotUtf8),
        (text(b"ok \xED\xA0 and more")[..11].into(), V::NotUtf8),
        (text(b"cut \xC3"), V::NotUtf8),
    ];
    for (bytes, violation) in cases {
        let (last, before) = bytes.split_last().expect("not empty");
        let mut decoder = Decoder::new(LIMIT);
        assert_eq!(feed(&mut decoder, before), [], "{violation:?} was reported too early");
        assert_eq!(feed(&mut decoder, &[*last]), [Seen::Refused(violation)]);
        assert!(decoder.is_closed() && !decoder.is_mid_message());
        assert_eq!(feed(&mut decoder, &text(b"after it")), []);
        assert_eq!(decoder.buffered(), 0);
        assert!(violation.to_string().len() <= encode::MAX_REASON);
    }
}

#[test]
fn each_violation_has_its_close_code() {
    assert_eq!(Violation::NotUtf8.code(), 1007);
    assert_eq!(Violation::TooLarge { limit: 1 }.code(), 1009);
    assert_eq!(Violation::Unmasked.code(), 1002);
}

#[test]
fn a_message_may_have_exactly_the_limit() {
    let limit = LIMIT as usize;
    let most = vec![b'x'; limit];
    assert_eq!(decode([&text(&most)[..]]), [Seen::Text("x".repeat(limit))]);
    let split = [frame(0x01, &most[..1], [0; 4]), frame(0x80, &most[1..], [0; 4])].concat();
    assert_eq!(decode([&split[..]]), [Seen::Text("x".repeat(limit))]);
    let ping = [frame(0x01, &most, [0; 4]), frame(0x89, &[7; 125], [0; 4])].concat();
    let mut decoder = Decoder::new(LIMIT);
    for byte in &ping[..ping.len() - 1] {
        assert_eq!(feed(&mut decoder, &[*byte]), []);
        assert!(decoder.buffered() <= limit + 125);
    }
    assert_eq!(feed(&mut decoder, &ping[ping.len() - 1..]), [Seen::Ping(vec![7; 125])], "control frames do not count");
    assert_eq!(feed(&mut decoder, &frame(0x80, b"", [0; 4])), [Seen::Text("x".repeat(limit))]);
}

#[test]
fn no_memory_is_allocated_for_a_length_in_a_header() {
    let mut decoder = Decoder::new(u32::MAX);
    assert_eq!(feed(&mut decoder, &[0x82, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4, 5]), []);
    assert!(decoder.buffered() <= 16, "{}", decoder.buffered());
}

#[test]
fn after_a_close_frame_there_are_no_events() {
    let bytes = [frame(0x88, b"\x03\xE8bye", [5; 4]), text(b"late"), vec![0xFF; 9]].concat();
    let close = Seen::Close(Some(1000), "bye".into());
    assert_eq!(decode([&bytes[..]]), std::slice::from_ref(&close));
    assert_eq!(decode(bytes.chunks(1)), [close]);
    assert_eq!(decode([&frame(0x88, b"", [5; 4])[..]]), [Seen::Close(None, String::new())]);
}

#[test]
fn close_codes_are_the_ones_that_a_peer_may_send() {
    let allowed: Vec<u16> = (0..=u16::MAX).filter(|code| is_close_code(*code)).collect();
    let expected: Vec<u16> = (1000..=1003).chain(1007..=1014).chain(3000..=4999).collect();
    assert_eq!(allowed, expected);
}

#[test]
fn encoded_frames_have_the_shortest_header_and_limited_control_payloads() {
    let mut out = Vec::new();
    encode::text("hi", &mut out);
    assert_eq!(out, b"\x81\x02hi");
    for (length, header) in [(125, &[0x82, 125][..]), (126, &[0x82, 126, 0, 126]), (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0])] {
        let mut out = Vec::new();
        encode::binary(&vec![0; length], &mut out);
        assert_eq!(&out[..out.len() - length], header);
        assert_eq!(encode::header_size(length), header.len());
    }
    let mut out = Vec::new();
    encode::ping(&[1; 200], &mut out);
    assert_eq!((out.len(), out[1]), (127, 125));
    let mut out = Vec::new();
    encode::close(Some(3000), &"é".repeat(100), &mut out);
    assert_eq!((out.len(), out[1]), (126, 124), "cut at a character");
    assert!(std::str::from_utf8(&out[4..]).is_ok());
    let mut out = Vec::new();
    encode::close(None, "unsaid", &mut out);
    assert_eq!(out, b"\x88\x00");
}

/// A message, and the control frames between its fragments.
#[derive(Clone, Debug)]
struct Message {
    text: bool,
    fragments: Vec<Vec<u8>>,
    between: Vec<Option<(bool, Vec<u8>)>>,
    key: [u8; 4],
}

prop_compose! {
    fn message()(
        text in any::<bool>(),
        whole in "[aé漢😀]{0,60}",
        cuts in vec(0usize..240, 0..4),
        between in vec(proptest::option::of((any::<bool>(), vec(any::<u8>(), 0..=125))), 4),
        key in any::<[u8; 4]>(),
    ) -> Message {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
        cuts.sort_unstable();
        let ends = cuts.iter().copied().chain([whole.len()]);
        let fragments = [0].into_iter().chain(cuts.iter().copied()).zip(ends).map(|(from, to)| whole.as_bytes()[from..to].to_vec()).collect();
        Message { text, fragments, between, key }
    }
}

impl Message {
    fn write(&self, bytes: &mut Vec<u8>, expected: &mut Vec<Seen>) {
        for (at, fragment) in self.fragments.iter().enumerate() {
            let opcode = if at > 0 { 0 } else { 2 - u8::from(self.text) };
            let last = if at + 1 == self.fragments.len() { 0x80 } else { 0 };
            bytes.extend(frame(last | opcode, fragment, self.key));
            if last == 0
                && let Some((ping, payload)) = &self.between[at]
            {
                bytes.extend(frame(if *ping { 0x89 } else { 0x8A }, payload, self.key));
                expected.push(if *ping { Seen::Ping(payload.clone()) } else { Seen::Pong(payload.clone()) });
            }
        }
        let whole = self.fragments.concat();
        expected.push(if self.text { Seen::Text(String::from_utf8(whole).expect("made of characters")) } else { Seen::Binary(whole) });
    }
}

/// Cuts bytes into pieces whose sizes repeat this list.
fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(*size));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

proptest! {
    #[test]
    fn fragmented_interleaved_and_cut_messages_are_decoded_unchanged(messages in vec(message(), 1..6), sizes in vec(1usize..200, 1..8)) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for message in &messages {
            message.write(&mut bytes, &mut expected);
        }
        prop_assert_eq!(&decode([&bytes[..]]), &expected);
        prop_assert_eq!(&decode(cut(&bytes, &sizes)), &expected);
        prop_assert_eq!(&decode(bytes.chunks(1)), &expected);
    }

    #[test]
    fn a_decoder_that_ignores_messages_keeps_only_control_frames(
        messages in vec(message(), 1..6),
        sizes in vec(1usize..200, 1..8),
        from in 0usize..2000,
    ) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for message in &messages {
            message.write(&mut bytes, &mut expected);
        }
        bytes.extend(frame(0x88, &[], [1, 2, 3, 4]));
        expected.push(Seen::Close(None, String::new()));
        let (before, after) = bytes.split_at(from.min(bytes.len()));
        let mut decoder = Decoder::new(LIMIT);
        let mut seen = feed(&mut decoder, before);
        let rest = expected.split_off(seen.len());
        decoder.ignore_messages();
        for piece in cut(after, &sizes) {
            prop_assert!(decoder.buffered() <= 2 * Opcode::MAX_CONTROL_PAYLOAD, "{}", decoder.buffered());
            seen.extend(feed(&mut decoder, piece));
        }
        expected.extend(rest.into_iter().filter(|event| !matches!(event, Seen::Text(_) | Seen::Binary(_))));
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn text_is_checked_as_the_standard_library_does_and_refused_at_the_same_byte(
        payload in vec(prop_oneof![any::<u8>(), 0x80u8..0xC0, Just(0xE0), Just(0xED), Just(0xF0), Just(0xF4), Just(b'a')], 0..12),
        cuts in vec(1usize..6, 1..4),
        fragmented in any::<bool>(),
    ) {
        let bytes: Vec<u8> = if fragmented {
            let mut pieces = cut(&payload, &cuts).into_iter().enumerate().map(|(at, piece)| frame(u8::from(at == 0), piece, [3; 4])).collect::<Vec<_>>();
            if pieces.is_empty() {
                pieces.push(frame(1, b"", [3; 4]));
            }
            pieces.push(frame(0x80, b"", [3; 4]));
            pieces.concat()
        } else {
            text(&payload)
        };
        let expected = match std::str::from_utf8(&payload) {
            Ok(valid) => Seen::Text(valid.into()),
            Err(_) => Seen::Refused(Violation::NotUtf8),
        };
        prop_assert_eq!(decode([&bytes[..]]), std::slice::from_ref(&expected));
        prop_assert_eq!(decode(bytes.chunks(1)), [expected]);
        // The decoder refuses the text at the first byte after which no continuation can make it valid.
        if let (false, Err(wrong)) = (fragmented, std::str::from_utf8(&payload)) && let Some(length) = wrong.error_len() {
            let valid = wrong.valid_up_to();
            let bad = (valid + 1..=payload.len()).find(|end| std::str::from_utf8(&payload[valid..*end]).is_err_and(|e| e.error_len().is_some()));
            prop_assert!(bad.is_some_and(|bad| bad <= valid + length + 1));
            let mut decoder = Decoder::new(LIMIT);
            let header = bytes.len() - payload.len();
            for (at, byte) in bytes.iter().enumerate() {
                let refused = !feed(&mut decoder, &[*byte]).is_empty();
                prop_assert_eq!(refused, Some(at + 1) == bad.map(|bad| bad + header), "byte {}", at);
                if refused { break; }
            }
        }
    }

    #[test]
    fn any_bytes_cause_the_same_events_whole_or_cut(bytes in vec(any::<u8>(), 0..200), sizes in vec(1usize..20, 1..5)) {
        let whole = decode([&bytes[..]]);
        prop_assert_eq!(&decode(cut(&bytes, &sizes)), &whole);
        prop_assert_eq!(&decode(bytes.chunks(1)), &whole);
    }

    #[test]
    fn unmasking_is_xor_with_the_repeated_key(mut bytes in vec(any::<u8>(), 0..100), key in any::<[u8; 4]>()) {
        let expected: Vec<u8> = bytes.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
        unmask(&mut bytes, key);
        prop_assert_eq!(bytes, expected);
    }

    #[test]
    fn a_decoder_reads_what_the_encoder_writes(text in ".{0,300}") {
        let mut out = Vec::new();
        encode::text(&text, &mut out);
        let header = encode::header_size(text.len());
        // The frame of a client has the mask bit and a key in addition.
        let mut client = out[..header].to_vec();
        client[1] |= 0x80;
        client.extend([0; 4]);
        client.extend(&out[header..]);
        let mut decoder = Decoder::new(4096);
        prop_assert_eq!(feed(&mut decoder, &client), [Seen::Text(text)]);
    }
}

#[test]
fn the_debug_text_of_a_decoder_has_nothing_of_the_client() {
    let mut decoder = Decoder::new(1024);
    let mut bytes = *b"\x81\x86\0\0\0\0top";
    assert_eq!(decoder.feed(&mut &mut bytes[..]), Ok(None));
    assert_eq!(format!("{decoder:?}"), "Decoder { limit: 1024, buffered: 3, .. }");
}
