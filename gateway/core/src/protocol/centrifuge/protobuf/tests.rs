//! Reading commands. The real SDKs read and write this encoding in `gateway/tests/sdk`.

use super::decode;
use crate::{
    model::{RecoverFrom, Secret},
    protocol::{Command, Request, centrifuge::bad_frame::BadFrame},
};
use proptest::prelude::*;
use prost::encoding::{WireType, encode_key, encode_varint};

/// The bytes of one message, as `client.proto` numbers its fields.
#[derive(Clone, Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn number(mut self, field: u32, value: u64) -> Self {
        encode_key(field, WireType::Varint, &mut self.0);
        encode_varint(value, &mut self.0);
        self
    }

    fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        encode_key(field, WireType::LengthDelimited, &mut self.0);
        encode_varint(value.as_ref().len() as u64, &mut self.0);
        self.0.extend_from_slice(value.as_ref());
        self
    }

    fn message(self, field: u32, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    /// The message after its length, as in a frame.
    fn framed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        encode_varint(self.0.len() as u64, &mut out);
        out.extend_from_slice(&self.0);
        out
    }
}

fn empty() -> Bytes {
    Bytes::default()
}

fn command(id: u64, field: u32, body: &Bytes) -> Bytes {
    empty().number(1, id).message(field, body)
}

fn only(message: &Bytes) -> Result<Command, BadFrame> {
    let frame = message.framed();
    let mut commands = decode(&frame);
    let first = commands.next().expect("one command");
    assert!(commands.next().is_none());
    first
}

fn request(message: &Bytes) -> Request {
    only(message).expect("a good frame").request
}

fn nested_filter(levels: usize) -> Bytes {
    (1..levels).fold(empty().bytes(2, "k").bytes(3, "ex"), |below, _| empty().bytes(1, "not").message(6, &below))
}

/// One command of each kind, as the SDKs send it.
fn every_command() -> Vec<Bytes> {
    let position = empty().number(3, 1).bytes(6, "e").number(7, 42);
    let connect = empty()
        .bytes(1, "t")
        .bytes(2, "[1]")
        .message(3, &empty().bytes(1, "news").message(2, &position))
        .message(3, &empty().bytes(1, "b").message(2, &empty()));
    let connect = connect.bytes(4, "go").bytes(5, "5.8.0").message(6, &empty().bytes(1, "traceparent").bytes(2, "00-a-b-01")).number(7, 1);
    let subscribe = empty()
        .bytes(1, "chat:7")
        .bytes(2, "t")
        .number(3, 1)
        .bytes(6, "e")
        .number(7, 5)
        .bytes(8, "{ }")
        .number(9, 1)
        .number(10, 1)
        .number(11, 1)
        .bytes(12, "fossil")
        .message(13, &empty().bytes(2, "k").bytes(3, "ex"))
        .number(14, 3);
    let channel = empty().bytes(1, "c");
    let since = empty().number(1, 4).bytes(2, "e");
    vec![
        command(1, 4, &connect),
        command(1, 5, &subscribe),
        command(1, 6, &channel),
        command(1, 7, &empty().bytes(1, "c").bytes(2, r#"{"a":1}"#)),
        command(1, 8, &channel),
        command(1, 9, &channel),
        command(1, 10, &empty().bytes(1, "c").number(7, 3).message(8, &since).number(9, 1)),
        command(1, 11, &empty()),
        empty().message(12, &empty().bytes(1, "1")),
        command(1, 13, &empty().bytes(1, "[1]").bytes(2, "bot.say")),
        command(1, 14, &empty().bytes(1, "t")),
        command(1, 15, &empty().bytes(1, "c").bytes(2, "t")),
    ]
}

#[test]
fn a_frame_holds_several_commands_and_an_empty_one_is_a_pong() {
    let frame = [command(1, 11, &empty()).framed(), vec![0], command(2, 11, &empty()).framed()].concat();
    let commands: Vec<_> =
        decode(&frame).map(|it| it.expect("a good frame")).map(|it| (it.id, matches!(it.request, Request::Pong))).collect();
    assert_eq!(commands, [(1, false), (0, true), (2, false)]);
    assert_eq!(decode(&[]).count(), 0);
}

#[test]
fn each_command_has_its_fields() {
    let all: Vec<_> = every_command().iter().map(request).collect();
    let expected = [
        r#"Connect(ConnectRequest { token: (a secret), data: Some([1]), subs: [("b", None), ("news", Some(RecoverFrom { epoch: "e", offset: 42 }))], resolves_numbers: true, headers: {"traceparent": (a secret)} })"#,
        r#"Subscribe(SubscribeRequest { channel: "chat:7", token: (a secret), data: Some({}), recover: Some(RecoverFrom { epoch: "e", offset: 5 }), join_leave: true, all_or_nothing: true, compact: true, delta: "fossil", tags_filter: Some(TagsFilter(Tag("k", Exists))), form: None })"#,
        r#"Unsubscribe { channel: "c" }"#,
        r#"Publish { channel: "c", content: Json({"a":1}), tags: {} }"#,
        r#"Presence { channel: "c" }"#,
        r#"PresenceStats { channel: "c" }"#,
        r#"History(HistoryRequest { channel: "c", limit: 3, since: Some(RecoverFrom { epoch: "e", offset: 4 }), reverse: true })"#,
        "Ping",
        "Send { data: 1 }",
        r#"Rpc { method: "bot.say", data: [1] }"#,
        "Refresh { token: (a secret) }",
        r#"SubRefresh { channel: "c", token: (a secret) }"#,
    ];
    for (request, expected) in all.iter().zip(expected) {
        assert_eq!(format!("{request:?}"), expected);
    }
    assert_eq!(all.len(), expected.len());
    let secrets = all.iter().flat_map(|request| match request {
        Request::Connect(it) => it.headers.values().chain([&it.token]).collect(),
        Request::Subscribe(it) => vec![&it.token],
        Request::Refresh { token } | Request::SubRefresh { token, .. } => vec![token],
        _ => Vec::new(),
    });
    assert_eq!(secrets.map(Secret::expose).collect::<Vec<_>>(), ["00-a-b-01", "t", "t", "t", "t"]);
}

#[test]
fn only_sdks_that_find_a_channel_by_its_number_get_numbers() {
    for (name, expected) in [("go", true), ("swift", true), ("js", false), ("my app", false), ("", false)] {
        let Request::Connect(it) = request(&command(1, 4, &empty().bytes(4, name))) else { panic!("not a connect") };
        assert_eq!(it.resolves_numbers, expected, "{name}");
    }
}

#[test]
fn a_position_without_recover_is_ignored_and_recover_without_a_position_is_the_oldest() {
    let Request::Subscribe(it) = request(&command(1, 5, &empty().bytes(1, "c").bytes(6, "e").number(7, 5))) else {
        panic!("not a subscribe")
    };
    assert_eq!(it.recover, None);
    let Request::Subscribe(it) = request(&command(1, 5, &empty().bytes(1, "c").number(3, 1))) else { panic!("not a subscribe") };
    assert_eq!(it.recover, Some(RecoverFrom { epoch: String::new(), offset: 0 }));
}

#[test]
fn bad_frames_are_refused() {
    let (good, varint) = (command(1, 11, &empty()), [0xFF; 11]);
    let protobuf = |bad: Bytes| (bad.framed(), "not valid Protobuf");
    for (frame, reason) in [
        (vec![5, 8], "the length of a message"),
        (vec![0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], "the length of a message"),
        (varint.to_vec(), "the length of a message"),
        (vec![0x80], "the length of a message"),
        (empty().number(1, 1).framed(), "no known command"),
        (command(1, 77, &empty()).framed(), "no known command"),
        (good.clone().message(13, &empty()).framed(), "several commands"),
        (empty().message(11, &empty()).framed(), "no id"),
        protobuf(empty().bytes(1, "x")),
        protobuf(command(1, 11, &empty()).number(13, 1)),
        protobuf(command(1, 5, &empty().number(1, 1))),
        protobuf(command(1, 5, &empty().bytes(1, [0xFF]))),
        protobuf(Bytes(vec![0])),
        protobuf(Bytes(vec![0x07])),
        protobuf(Bytes(vec![0x0A, 0x7F, 0])),
    ] {
        let message = [good.framed(), frame].concat();
        let commands: Vec<_> = decode(&message).collect();
        let [Ok(_), Err(error)] = &commands[..] else { panic!("{commands:?}") };
        let error = error.to_string();
        assert!(error.contains(reason), "{error}");
        assert!(error.len() <= 200, "{error}");
    }
}

/// The fields of each command that the gateway reads, as `client.proto` numbers them: those that are numbers, and those that have a length.
const FIELDS: [(u32, &[u32], &[u32]); 12] = [
    (4, &[], &[1, 3, 4, 6]),
    (5, &[3, 7, 11, 14, 15], &[1, 2, 6, 12, 13]),
    (6, &[], &[1]),
    (7, &[3], &[1, 2]),
    (8, &[], &[1]),
    (9, &[], &[1]),
    (10, &[7, 9], &[1, 8]),
    (11, &[], &[]),
    (12, &[], &[1]),
    (13, &[], &[1, 2]),
    (14, &[], &[1]),
    (15, &[3], &[1, 2]),
];

#[test]
fn a_field_of_another_wire_type_is_refused() {
    // A key, and what this wire type needs after it.
    let field = |number: u32, wire_type: u32| {
        let mut out = Vec::new();
        encode_varint(u64::from(number << 3 | wire_type), &mut out);
        let end_of_group = number << 3 | 4;
        match wire_type {
            0 | 2 => out.push(0),
            1 => out.extend_from_slice(&[0; 8]),
            3 => encode_varint(u64::from(end_of_group), &mut out),
            5 => out.extend_from_slice(&[0; 4]),
            _ => {}
        }
        Bytes(out)
    };
    let good = |command_field, body: &Bytes| only(&command(1, command_field, body)).is_ok();
    for (command_field, numbers, with_length) in FIELDS {
        let fields = numbers.iter().map(|number| (*number, 0)).chain(with_length.iter().map(|number| (*number, 2)));
        for (number, right) in fields {
            for wire_type in 0..8 {
                let is_good = good(command_field, &field(number, wire_type));
                assert_eq!(is_good, wire_type == right, "field {number} of command {command_field} with the wire type {wire_type}");
            }
        }
        for wire_type in [0, 1, 3, 4, 5, 6, 7] {
            let message = Bytes([empty().number(1, 1).0, field(command_field, wire_type).0].concat());
            assert!(matches!(only(&message), Err(BadFrame::Protobuf(_))), "command {command_field} with the wire type {wire_type}");
        }
        assert!(good(command_field, &field(900, 3)), "unknown groups are skipped");
    }
}

#[test]
fn a_publish_is_json_or_text_or_bytes() {
    for (bytes, content) in [
        (&b"[1, 2]"[..], "Json([1,2])"),
        (b"7", "Json(7)"),
        (b"{", "Text(\"{\")"),
        (b"hi", "Text(\"hi\")"),
        (&[0xFF, 0], "Bytes([255, 0])"),
    ] {
        let request = request(&command(1, 7, &empty().bytes(1, "c").bytes(2, bytes)));
        assert_eq!(format!("{request:?}"), format!("Publish {{ channel: \"c\", content: {content}, tags: {{}} }}"));
    }
}

#[test]
fn data_that_is_not_json_or_is_missing_refuses_the_command_only() {
    let deep = "[".repeat(65) + &"]".repeat(65);
    for (message, reason) in [
        (command(1, 7, &empty().bytes(1, "c")), "data is missing"),
        (command(1, 7, &empty().bytes(1, "c").bytes(2, &deep)), "data is nested deeper"),
        (command(1, 7, &empty().bytes(1, "c").bytes(2, "1").number(3, 1)), "maps is not available"),
        (command(1, 13, &empty().bytes(1, "1 2")), "data is not valid JSON"),
        (command(1, 13, &empty().bytes(1, [0xFF])), "data is not valid JSON"),
        (empty().message(12, &empty().bytes(1, "x")), "data is not valid JSON"),
        (command(1, 5, &empty().bytes(1, "c").number(15, 1)), "other than those to streams"),
        (command(1, 15, &empty().bytes(1, "c").number(3, 1)), "tracking keys is not available"),
        (command(1, 5, &empty().bytes(1, "c").bytes(13, [0xFF])), "tf is not a filter"),
        (command(1, 5, &empty().bytes(1, "c").bytes(13, "")), "tf has the unknown operator"),
        (command(1, 5, &empty().bytes(1, "c").bytes(13, [b'x'; 2049])), "tf is longer than 2048 bytes"),
        (command(1, 5, &empty().bytes(1, "c").message(13, &nested_filter(200))), "tf is not a filter"),
        (command(1, 5, &empty().bytes(1, "c").bytes(8, "text")), "data is not valid JSON"),
        (command(1, 4, &empty().bytes(2, "text")), "data is not valid JSON"),
        (command(1, 5, &empty().bytes(1, "c").message(13, &nested_filter(9))), "tf is nested deeper than 8 levels"),
    ] {
        let Request::Refused(refusal) = request(&message) else { panic!("{reason}: not refused") };
        assert!(refusal.detail.contains(reason), "{}", refusal.detail);
    }
    assert!(matches!(request(&command(1, 13, &empty().bytes(2, "m"))), Request::Rpc { data, .. } if data.get() == "null"));
}

proptest! {
    #[test]
    fn unknown_fields_are_skipped_and_a_frame_that_is_cut_anywhere_gives_only_whole_commands(
        which in proptest::sample::subsequence((0..12).collect::<Vec<usize>>(), 1..4),
        unknown in proptest::collection::vec((20u32..2000, any::<u64>(), proptest::collection::vec(any::<u8>(), 0..20)), 0..4),
    ) {
        let all = every_command();
        let with_unknown = |message: &Bytes| {
            unknown.iter().fold(message.clone(), |message, (field, number, bytes)| message.number(*field, *number).bytes(field + 1, bytes))
        };
        let messages: Vec<_> = which.iter().map(|at| with_unknown(&all[*at])).collect();
        let frame = messages.iter().map(Bytes::framed).collect::<Vec<_>>().concat();
        let whole = decode(&frame).map(|it| format!("{:?}", it.expect("a good frame").request)).collect::<Vec<_>>();
        let plain = which.iter().map(|at| format!("{:?}", request(&all[*at]))).collect::<Vec<_>>();
        prop_assert_eq!(&whole, &plain);
        for end in 0..frame.len() {
            let commands: Vec<_> = decode(&frame[..end]).map(|it| it.map(|it| format!("{:?}", it.request))).collect();
            let good: Vec<_> = commands.iter().filter_map(|it| it.as_ref().ok()).collect();
            prop_assert!(good.iter().zip(&whole).all(|(one, whole)| *one == whole));
            prop_assert!(commands.len() <= good.len() + 1, "at most one error");
        }
    }

    #[test]
    fn a_wrong_byte_changes_no_command_before_it(
        which in proptest::sample::subsequence((0..12).collect::<Vec<usize>>(), 1..4),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let messages: Vec<_> = which.iter().map(|at| every_command()[*at].framed()).collect();
        let mut frame = messages.concat();
        let at = at.index(frame.len());
        frame[at] = byte;
        let ends = messages.iter().scan(0, |end, message| { *end += message.len(); Some(*end) });
        let before = ends.take_while(|end| *end <= at).count();
        let commands: Vec<_> = decode(&frame).collect();
        for (command, expected) in commands.iter().zip(&which).take(before) {
            let command = command.as_ref().expect("a good command");
            prop_assert_eq!(format!("{:?}", command.request), format!("{:?}", request(&every_command()[*expected])));
        }
        prop_assert!(commands.len() >= before);
        prop_assert!(commands.iter().rev().skip(1).all(Result::is_ok), "an error is the last");
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for command in decode(&bytes) {
            let _ = command;
        }
    }
}
