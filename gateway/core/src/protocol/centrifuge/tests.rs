use super::{
    testing::{read_replies, without_defaults},
    *,
};
use crate::{
    model::{
        CONTENT_TYPE, ChannelName, ClientInfo, ConnectionId, Content, Data, Epoch, ErrorCode, Position, PresenceStats, Publication,
        RecoverFrom, Recovery, Refusal, Unsubscribe,
    },
    protocol::{Command, Connected, Push, Reply, Request, Subscribed},
};
use proptest::prelude::*;
use std::sync::Arc;

const CLIENT: &str = "000102030405060708090a0b0c0d0e0f";

fn decode(text: &str) -> Commands<'_> {
    Codec::Json.decode(Payload::Text(text)).expect("JSON in text")
}

fn only(text: &str) -> Result<Command, BadFrame> {
    let mut commands = decode(text);
    let first = commands.next().expect("one command");
    assert!(commands.next().is_none());
    first
}

fn request(text: &str) -> Request {
    only(text).expect("a good frame").request
}

fn data(text: &str) -> Data {
    Data::parse(serde_json::from_str(text).expect("valid JSON")).expect("shallow")
}

fn channel() -> ChannelName {
    "chat:lobby".parse().expect("a good name")
}

fn position(offset: u64) -> Position {
    Position { epoch: Epoch::parse("abcd1234").expect("a good epoch"), offset }
}

fn info() -> Arc<ClientInfo> {
    let client: ConnectionId = CLIENT.parse().expect("a good id");
    Arc::new(ClientInfo {
        user: "alice".parse().expect("a good name"),
        client,
        conn_info: Some(data(r#"{"name":"Alice"}"#)),
        chan_info: None,
    })
}

fn publication(offset: u64) -> Arc<Publication> {
    Arc::new(Publication {
        position: Some(position(offset)),
        content: data(r#"{"text":"hi"}"#).into(),
        tags: [("k".to_owned(), "v\n".to_owned())].into(),
        info: Some(Box::new((*info()).clone())),
        time_ms: 17,
        traceparent: None,
    })
}

/// The reply as JSON. Checks that its Protobuf form says the same.
fn reply(reply: &Reply) -> String {
    in_both(|codec, out| codec.append_reply(7, reply, out))
}

/// The push as JSON. Checks that its Protobuf form says the same.
fn push(push: &Push) -> String {
    in_both(|codec, out| codec.append_push(push, out))
}

fn in_json(push: &Push) -> String {
    let mut text = Vec::new();
    Codec::Json.append_push(push, &mut text);
    String::from_utf8(text).expect("UTF-8")
}

fn in_both(append: impl Fn(Codec, &mut Vec<u8>)) -> String {
    let [mut text, mut binary] = [Vec::new(), Vec::new()];
    append(Codec::Json, &mut text);
    append(Codec::Protobuf, &mut binary);
    let [as_json, as_protobuf] = [(Codec::Json, &text), (Codec::Protobuf, &binary)]
        .map(|(codec, payload)| read_replies(codec, payload).expect("valid").into_iter().map(without_defaults).collect::<Vec<_>>());
    assert_eq!(as_json, as_protobuf);
    String::from_utf8(text).expect("UTF-8")
}

mod decoding {
    use super::*;

    #[test]
    fn a_message_holds_several_commands_and_blank_lines_are_skipped() {
        let text = "{\"id\":1,\"ping\":{}}\n\n{}\r\n{ }\n{\"send\":{\"data\":1}}\n";
        let commands: Vec<_> = decode(text).map(|it| it.expect("a good frame")).collect();
        assert!(matches!(
            &commands[..],
            [
                Command { id: 1, request: Request::Ping },
                Command { id: 0, request: Request::Pong },
                Command { id: 0, request: Request::Pong },
                Command { id: 0, request: Request::Send { .. } },
            ]
        ));
        assert_eq!(decode("").count() + decode(" \n\t\n").count(), 0);
    }

    #[test]
    fn a_connect_of_the_sdk() {
        let text = r#"{"connect":{"token":"t","name":"js","version":"5.8.0","headers":{"traceparent":"00-a-b-01","x":1},
            "subs":{"news":{"recover":true,"epoch":"e","offset":42},"other":{}},"flag":1},"id":1}"#
            .replace('\n', "");
        let Request::Connect(it) = request(&text) else { panic!("not a connect") };
        assert_eq!(it.token.expose(), "t");
        assert_eq!(it.headers, [("traceparent".to_owned(), "00-a-b-01".into())].into());
        assert_eq!(it.subs, [("news".into(), Some(RecoverFrom { epoch: "e".into(), offset: 42 })), ("other".into(), None)]);
    }

    #[test]
    fn a_subscribe_of_the_sdk() {
        let text = r#"{"id":2,"subscribe":{"channel":"chat:7","token":"t","recover":true,"recoverable":true,"positioned":true,
            "join_leave":true,"flag":3,"tf":{"key":"k","cmp":"eq","val":"v"}}}"#
            .replace('\n', "");
        let Request::Subscribe(it) = request(&text) else { panic!("not a subscribe") };
        assert_eq!((&*it.channel, it.token.expose(), it.join_leave, it.all_or_nothing), ("chat:7", "t", true, true));
        assert_eq!(it.recover, Some(RecoverFrom { epoch: String::new(), offset: 0 }), "from the oldest publication");

        let Request::Subscribe(it) = request(r#"{"id":2,"subscribe":{"channel":"chat:7","epoch":"e","offset":5,"flag":1}}"#) else {
            panic!("not a subscribe")
        };
        assert_eq!((it.recover, it.all_or_nothing), (None, false), "a position without `recover` is ignored");
    }

    #[test]
    fn the_other_commands() {
        assert!(matches!(request(r#"{"id":1,"unsubscribe":{"channel":"c"}}"#), Request::Unsubscribe { channel } if channel == "c"));
        assert!(matches!(request(r#"{"id":1,"presence":{"channel":"c"}}"#), Request::Presence { channel } if channel == "c"));
        assert!(matches!(request(r#"{"id":1,"presence_stats":{"channel":"c"}}"#), Request::PresenceStats { channel } if channel == "c"));
        assert!(matches!(request(r#"{"id":1,"refresh":{"token":"t"}}"#), Request::Refresh { token } if token.expose() == "t"));
        assert!(matches!(request(r#"{"id":1,"sub_refresh":{"channel":"c","token":"t"}}"#), Request::SubRefresh { channel, token }
            if channel == "c" && token.expose() == "t"));
        let Request::History(it) =
            request(r#"{"id":1,"history":{"channel":"c","limit":-1,"since":{"offset":3,"epoch":"e"},"reverse":true}}"#)
        else {
            panic!("not a history")
        };
        assert_eq!((&*it.channel, it.limit, it.reverse), ("c", -1, true));
        assert_eq!(it.since, Some(RecoverFrom { epoch: "e".into(), offset: 3 }));
    }

    #[test]
    fn white_space_is_removed_from_data() {
        assert!(
            matches!(request("{\"id\":1,\"publish\":{\"channel\":\"c\",\"data\":{ \"a b\":\t[1, 2]}}}"), Request::Publish { content, .. }
            if content == data(r#"{"a b":[1,2]}"#).into())
        );
    }

    #[test]
    fn data_is_optional_for_calls_and_events_and_required_for_publications() {
        for text in [r#"{"id":1,"rpc":{"method":"bot.say"}}"#, r#"{"id":1,"rpc":{"method":"bot.say","data":null}}"#] {
            assert!(matches!(request(text), Request::Rpc { data, .. } if data.get() == "null"), "{text}");
        }
        assert!(matches!(request(r#"{"send":{}}"#), Request::Send { data } if data.get() == "null"));
        let null = r#"{"id":1,"publish":{"channel":"c","data":null}}"#;
        assert!(matches!(request(null), Request::Publish { content, .. } if content == Data::null().into()), "null is data");
        let Request::Refused(refusal) = request(r#"{"id":1,"publish":{"channel":"c"}}"#) else { panic!("not refused") };
        assert_eq!((refusal.code, &*refusal.detail), (ErrorCode::BadRequest, "data is missing; null is allowed as data"));
    }

    #[test]
    fn data_nested_too_deep_refuses_only_its_command() {
        let nested = "[".repeat(100_000) + &"]".repeat(100_000);
        let Command { id: 4, request: Request::Refused(refusal) } =
            only(&format!(r#"{{"id":4,"rpc":{{"method":"m","data":{nested}}}}}"#)).expect("a good frame")
        else {
            panic!("not refused")
        };
        assert_eq!(refusal.code, ErrorCode::BadRequest);
        assert!(refusal.detail.contains("64"), "{}", refusal.detail);
    }

    #[test]
    fn unknown_fields_are_ignored_whatever_their_depth() {
        let nested = "[".repeat(100_000) + &"]".repeat(100_000);
        let text = format!(r#"{{"id":4,"new":{nested},"unsubscribe":{{"channel":"c","new":{nested}}}}}"#);
        assert!(matches!(request(&text), Request::Unsubscribe { channel } if channel == "c"));
    }

    #[test]
    fn null_means_that_an_optional_member_is_missing() {
        let text = r#"{"id":1,"connect":{"token":null,"subs":{"a":null},"headers":{"traceparent":null}},"rpc":null,"ping":null}"#;
        let Request::Connect(it) = request(text) else { panic!("not a connect") };
        assert_eq!((it.token.expose(), &*it.subs, it.headers.len()), ("", &[("a".to_owned(), None)][..], 0));
        let text = r#"{"id":1,"subscribe":{"channel":"a","token":null,"recover":null,"epoch":null,"offset":null,"flag":null,"type":null}}"#;
        assert!(matches!(request(text), Request::Subscribe(it) if it.channel == "a" && it.recover.is_none()));
        let text = r#"{"id":1,"history":{"channel":"a","since":null,"limit":null,"reverse":null}}"#;
        assert!(matches!(request(text), Request::History(it) if it.since.is_none() && it.limit == 0));
        assert_eq!(only(r#"{"id":null,"ping":{}}"#).expect_err("no id"), BadFrame::NoId);
        assert_eq!(only(r#"{"id":1,"ping":null}"#).expect_err("no command"), BadFrame::NoCommand);
    }

    #[test]
    fn unsupported_kinds_of_subscriptions_are_refused() {
        for text in [
            r#"{"id":1,"subscribe":{"channel":"c","type":4}}"#,
            r#"{"id":1,"publish":{"channel":"c","type":1,"key":"k"}}"#,
            r#"{"id":1,"sub_refresh":{"channel":"c","type":1}}"#,
        ] {
            assert!(matches!(request(text), Request::Refused(refusal) if refusal.code == ErrorCode::NotAvailable), "{text}");
        }
    }

    #[test]
    fn a_bad_frame_is_refused_with_a_reason() {
        let shape = |why: &str| BadFrame::Shape(why.into());
        for (text, why) in [
            ("nonsense", BadFrame::Syntax(2)),
            (r#"{"id":1,"ping":{}"#, BadFrame::Syntax(17)),
            (r#"{"id":1,"ping":{}}}"#, BadFrame::Syntax(19)),
            ("[1]", shape("invalid type: sequence, expected an object")),
            (r#"{"id":-1,"ping":{}}"#, shape("id: invalid value: integer `-1`, expected u32")),
            (r#"{"id":4294967296,"ping":{}}"#, shape("id: invalid value: integer `4294967296`, expected u32")),
            (r#"{"id":1,"id":2,"ping":{}}"#, shape("duplicate field `id`")),
            (r#"{"id":1,"unsubscribe":{"channel":5}}"#, shape("unsubscribe.channel: invalid type: integer `5`, expected a string")),
            (r#"{"id":1,"subscribe":["news:a"]}"#, shape("subscribe: invalid type: sequence, expected an object")),
            (r#"{"id":1,"connect":["t"]}"#, shape("connect: invalid type: sequence, expected an object")),
            (r#"{"id":1,"connect":{"subs":{"a":[true]}}}"#, shape("connect.subs.a: invalid type: sequence, expected an object")),
            (r#"{"id":1,"rpc":["m",1]}"#, shape("rpc: invalid type: sequence, expected an object")),
            (r#"{"id":1,"history":{"channel":"c","since":["e",1]}}"#, shape("history.since: invalid type: sequence, expected an object")),
            (r#"{"id":1}"#, BadFrame::NoCommand),
            (r#"{"id":1,"dance":{}}"#, BadFrame::NoCommand),
            (r#"{"id":1,"ping":{},"rpc":{}}"#, BadFrame::SeveralCommands),
            (r#"{"ping":{}}"#, BadFrame::NoId),
            (r#"{"id":0,"connect":{}}"#, BadFrame::NoId),
        ] {
            assert_eq!(only(text).expect_err(text), why, "{text}");
            assert!(why.to_string().len() <= 123, "fits a close reason");
        }
        assert_eq!(only(&"[".repeat(100_000)).expect_err("no frame"), shape("invalid type: sequence, expected an object"));
        assert_eq!(only(&r#"{"a":"#.repeat(100_000)).expect_err("no frame"), BadFrame::Syntax(500_000));
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in r#"[{}\[\]":, a-z0-9\n\\]{0,80}"#) {
            for command in decode(&text) {
                let _ = command;
            }
        }
    }
}

mod encoding {
    use super::*;

    #[test]
    fn connect() {
        let (client, time_ms) = (info().client, 1_700_000_000_000);
        let bare = Connected {
            client,
            time_ms,
            session: None,
            pong: true,
            node: "n\"1".into(),
            ping: Some(25),
            ttl: None,
            data: None,
            subs: Vec::new(),
        };
        assert_eq!(
            reply(&Reply::Connect(Box::new(bare))),
            format!(
                r#"{{"id":7,"connect":{{"client":"{CLIENT}","version":"{}","ping":25,"pong":true,"session":"{CLIENT}","node":"n\"1","time":1700000000000}}}}"#,
                env!("CARGO_PKG_VERSION")
            )
        );
        let sub = Subscribed {
            position: Some(position(3)),
            recovery: Recovery::Recovered,
            publications: vec![publication(4)],
            ..Subscribed::default()
        };
        let full = Connected {
            client,
            session: None,
            pong: true,
            time_ms,
            node: "n".into(),
            ping: Some(25),
            ttl: Some(600),
            data: Some(data("[1]")),
            subs: vec![(r#"#a"\"#.parse().expect("a good name"), sub), (channel(), Subscribed::default())],
        };
        let expected = format!(
            concat!(
                r##"{{"id":7,"connect":{{"client":"{c}","version":"{v}","expires":true,"ttl":600,"data":[1],"subs":{{"##,
                r##""#a\"\\":{{"recoverable":true,"positioned":true,"epoch":"abcd1234","offset":3,"publications":[{p}],"recovered":true,"was_recovering":true}},"##,
                r##""chat:lobby":{{}}}},"ping":25,"pong":true,"session":"{c}","node":"n","time":1700000000000}}}}"##
            ),
            c = CLIENT,
            v = env!("CARGO_PKG_VERSION"),
            p = published(4),
        );
        assert_eq!(reply(&Reply::Connect(Box::new(full))), expected);
        let by_frames =
            Connected { client, time_ms, session: None, pong: true, node: "n".into(), ping: None, ttl: None, data: None, subs: Vec::new() };
        let line = reply(&Reply::Connect(Box::new(by_frames)));
        assert!(line.contains(r#""ping":0,"session""#), "no pong is expected: {line}");
    }

    fn published(offset: u64) -> String {
        format!(
            r#"{{"data":{{"text":"hi"}},"info":{{"user":"alice","client":"{CLIENT}","conn_info":{{"name":"Alice"}}}},"offset":{offset},"tags":{{"k":"v\n"}},"time":17}}"#
        )
    }

    #[test]
    fn subscribe() {
        assert_eq!(reply(&Reply::Subscribe(Box::default())), r#"{"id":7,"subscribe":{}}"#);
        let lost = Subscribed {
            position: Some(position(0)),
            recovery: Recovery::Lost,
            ttl: Some(60),
            data: Some(data("null")),
            ..Subscribed::default()
        };
        assert_eq!(
            reply(&Reply::Subscribe(Box::new(lost))),
            r#"{"id":7,"subscribe":{"expires":true,"ttl":60,"recoverable":true,"positioned":true,"epoch":"abcd1234","offset":0,"data":null,"was_recovering":true}}"#
        );
    }

    #[test]
    fn the_other_replies() {
        let history = Reply::History { position: position(9), publications: vec![publication(8), publication(9)] };
        for (given, expected) in [
            (Reply::Unsubscribe, r#"{"id":7,"unsubscribe":{}}"#.to_owned()),
            (Reply::Publish, r#"{"id":7,"publish":{}}"#.to_owned()),
            (Reply::Ping, r#"{"id":7,"ping":{}}"#.to_owned()),
            (Reply::Rpc(data("[1]")), r#"{"id":7,"rpc":{"data":[1]}}"#.to_owned()),
            (Reply::Presence(Vec::new()), r#"{"id":7,"presence":{"presence":{}}}"#.to_owned()),
            (
                Reply::Presence(vec![info()]),
                format!(
                    r#"{{"id":7,"presence":{{"presence":{{"{CLIENT}":{{"user":"alice","client":"{CLIENT}","conn_info":{{"name":"Alice"}}}}}}}}}}"#
                ),
            ),
            (
                Reply::PresenceStats(PresenceStats { clients: 3, users: 2 }),
                r#"{"id":7,"presence_stats":{"num_clients":3,"num_users":2}}"#.to_owned(),
            ),
            (
                history,
                format!(r#"{{"id":7,"history":{{"publications":[{},{}],"epoch":"abcd1234","offset":9}}}}"#, published(8), published(9)),
            ),
            (Reply::SubRefresh { ttl: Some(5) }, r#"{"id":7,"sub_refresh":{"expires":true,"ttl":5}}"#.to_owned()),
            (
                Reply::Refresh { ttl: None, client: info().client },
                format!(r#"{{"id":7,"refresh":{{"client":"{CLIENT}","version":"{}"}}}}"#, env!("CARGO_PKG_VERSION")),
            ),
            (
                Reply::CallFailed { code: 404, message: "no such room".into(), temporary: false },
                r#"{"id":7,"error":{"code":404,"message":"no such room"}}"#.to_owned(),
            ),
            (
                Reply::Error(Refusal::new(ErrorCode::TooManyRequests, "slow\ndown")),
                r#"{"id":7,"error":{"code":111,"message":"slow\ndown","temporary":true}}"#.to_owned(),
            ),
        ] {
            assert_eq!(reply(&given), expected);
        }
    }

    #[test]
    fn error_messages_are_cut_between_characters() {
        let long = reply(&Reply::Error(Refusal::new(ErrorCode::BadRequest, "ä".repeat(1000) + "!")));
        assert_eq!(long, format!(r#"{{"id":7,"error":{{"code":107,"message":"{}"}}}}"#, "ä".repeat(128)));
        let odd = reply(&Reply::Error(Refusal::new(ErrorCode::BadRequest, "x".to_owned() + &"ä".repeat(1000))));
        assert_eq!(odd, format!(r#"{{"id":7,"error":{{"code":107,"message":"x{}"}}}}"#, "ä".repeat(127)));
    }

    #[test]
    fn pushes() {
        let bare =
            Arc::new(Publication { position: None, content: data("1").into(), tags: [].into(), info: None, time_ms: 0, traceparent: None });
        let started = Subscribed { position: Some(position(2)), ..Subscribed::default() };
        for (given, expected) in [
            (Push::Ping, "{}".to_owned()),
            (Push::Publication(channel(), bare), r#"{"push":{"channel":"chat:lobby","pub":{"data":1}}}"#.to_owned()),
            (Push::Publication(channel(), publication(3)), format!(r#"{{"push":{{"channel":"chat:lobby","pub":{}}}}}"#, published(3))),
            (
                Push::Join(channel(), info()),
                format!(
                    r#"{{"push":{{"channel":"chat:lobby","join":{{"info":{{"user":"alice","client":"{CLIENT}","conn_info":{{"name":"Alice"}}}}}}}}}}"#
                ),
            ),
            (
                Push::Leave(channel(), info()),
                format!(
                    r#"{{"push":{{"channel":"chat:lobby","leave":{{"info":{{"user":"alice","client":"{CLIENT}","conn_info":{{"name":"Alice"}}}}}}}}}}"#
                ),
            ),
            (
                Push::Subscribe(channel(), started),
                r#"{"push":{"channel":"chat:lobby","subscribe":{"recoverable":true,"positioned":true,"epoch":"abcd1234","offset":2}}}"#
                    .to_owned(),
            ),
            (
                Push::Unsubscribe(channel(), Unsubscribe::InsufficientState),
                r#"{"push":{"channel":"chat:lobby","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#.to_owned(),
            ),
            (
                Push::Disconnect { code: 3001, reason: "shut\"down".into() },
                r#"{"push":{"disconnect":{"code":3001,"reason":"shut\"down"}}}"#.to_owned(),
            ),
            (Push::Message { data: data("{\"a\":null}"), queue: None }, r#"{"push":{"message":{"data":{"a":null}}}}"#.to_owned()),
        ] {
            assert_eq!(push(&given), expected);
        }
    }

    #[test]
    fn text_and_bytes_are_strings_in_json_and_as_they_are_in_protobuf() {
        let text = Content::Text("ü \"\n{".into());
        for (content, kind, expected) in [
            (text.clone(), "text/plain", r#"{"data":"ü \"\n{","tags":{"content-type":"text/plain"}}"#),
            (Content::Text("".into()), "a", r#"{"data":"","tags":{"content-type":"a"}}"#),
            (Content::Bytes([0xff, 0, 1].into()), "b\"", r#"{"data":"/wAB","tags":{"content-type":"b\"","encoding":"base64"}}"#),
            (Content::Bytes([].into()), "b", r#"{"data":"","tags":{"content-type":"b","encoding":"base64"}}"#),
        ] {
            let tags = [(CONTENT_TYPE.to_owned(), kind.to_owned())].into();
            let publication = Publication { position: None, content: content.clone(), tags, info: None, time_ms: 0, traceparent: None };
            let push = Push::Publication(channel(), Arc::new(publication));
            assert_eq!(in_json(&push), format!(r#"{{"push":{{"channel":"chat:lobby","pub":{expected}}}}}"#));
            let mut payload = Vec::new();
            Codec::Protobuf.append_push(&push, &mut payload);
            let mut field = vec![0x22, content.as_bytes().len() as u8];
            field.extend_from_slice(content.as_bytes());
            assert!(payload.windows(field.len()).any(|at| at == field), "field 4 of the publication has the bytes");
            assert_eq!(
                read_replies(Codec::Protobuf, &payload).expect("a reply")[0]["push"]["pub"]["tags"],
                serde_json::json!({ CONTENT_TYPE: kind })
            );
        }
        let lists = Reply::History {
            position: position(1),
            publications: vec![Arc::new(Publication { content: text, ..(*publication(1)).clone() })],
        };
        assert!(reply(&lists).contains(r#""data":"ü \"\n{","info""#));
    }

    #[test]
    fn deltas_are_between_json_only_and_all_else_is_whole_json_in_a_string() {
        let long = data(&format!(r#"{{"text":"{}"}}"#, "ü".repeat(100)));
        let all = [long.clone().into(), long.clone().into(), Content::Text("a\n".into()), Content::Bytes([255].into()), long.into()]
            .map(|content| Arc::new(Publication { content, ..(*publication(1)).clone() }));
        let made = deltas(None, &all);
        assert_eq!(made.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, false, false]);
        for (publication, in_json) in [(&all[2], r#""data":"\"a\\n\"""#), (&all[3], r#""data":"\"/w==\"""#)] {
            let [mut text, mut binary] = [Vec::new(), Vec::new()];
            Codec::Json.append_publication(PushChannel::Id(1), publication, DataForm::of(None), &mut text);
            Codec::Protobuf.append_publication(PushChannel::Id(1), publication, DataForm::of(None), &mut binary);
            let text = String::from_utf8(text).expect("UTF-8");
            assert!(text.contains(in_json) && !text.contains("\"delta\""), "{text}");
            let mut plain = Vec::new();
            Codec::Protobuf.append_publication(PushChannel::Id(1), publication, DataForm::Plain, &mut plain);
            assert_eq!(binary, plain);
        }
    }

    proptest! {
        #[test]
        fn every_line_is_valid_json_without_line_breaks(
            message in any::<String>(),
            tags in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4),
            body in any::<String>(),
            text in any::<String>(),
            node in any::<String>(),
            number in 0..=i64::MAX as u64,
        ) {
            let body = data(&serde_json::to_string(&[body]).expect("a string"));
            let publication = Arc::new(Publication {
                position: Some(position(number)), content: body.clone().into(), tags, info: None, time_ms: number, traceparent: None,
            });
            let connected = Connected { client: info().client, session: None, pong: true, time_ms: number, node: node.into(), ping: Some(1), ttl: None, data: None, subs: Vec::new() };
            let lines = [
                reply(&Reply::Error(Refusal::new(ErrorCode::Internal, message.clone()))),
                reply(&Reply::CallFailed { code: number as u32, message, temporary: true }),
                reply(&Reply::Rpc(body)),
                reply(&Reply::Connect(Box::new(connected))),
                reply(&Reply::History { position: position(number), publications: vec![publication.clone(); 2] }),
                push(&Push::Publication(channel(), publication.clone())),
                in_json(&Push::Publication(channel(), Arc::new(Publication { content: Content::Text(text.into()), ..(*publication).clone() }))),
            ];
            for line in lines {
                prop_assert!(!line.contains(['\n', '\r']), "{line}");
                prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
            }
        }
    }
}
