//! What both sides agree on, and what goes to one connection.

use super::*;
use crate::model::{Content, Data};
use serde_json::value::RawValue;

#[test]
fn the_highest_common_version_is_chosen() {
    use Version::{V1_0, V1_1, V1_2};
    for (accepted, version) in [
        (None, Ok(V1_0)),
        (Some("1.2"), Ok(V1_2)),
        (Some("1.2,1.1,1.0"), Ok(V1_2)),
        (Some("1.0,1.1,1.2"), Ok(V1_2)),
        (Some("1.0, 1.1 ,9.0"), Ok(V1_1)),
        (Some("1.0"), Ok(V1_0)),
        (Some(""), Err(UnsupportedVersions)),
        (Some("2.0,1.3"), Err(UnsupportedVersions)),
        (Some("1.2.1"), Err(UnsupportedVersions)),
    ] {
        assert_eq!(Version::negotiate(accepted), version, "{accepted:?}");
    }
    assert_eq!(Version::LIST, Version::ALL.map(Version::as_str).join(","));
    assert!(UnsupportedVersions.to_string().contains(Version::LIST));
    assert!(V1_0 < V1_1 && V1_1 < V1_2);
}

#[test]
fn the_highest_sub_protocol_is_chosen_whatever_the_order() {
    for (offered, chosen) in [
        (&["v12.stomp,v11.stomp,v10.stomp"][..], Some("v12.stomp")),
        (&["v10.stomp, v11.stomp, v12.stomp"], Some("v12.stomp")),
        (&["v10.stomp", "v11.stomp"], Some("v11.stomp")),
        (&["mqtt, v10.stomp"], Some("v10.stomp")),
        (&["mqtt", "V12.STOMP", "v12.stomp2"], None),
        (&[], None),
        (&[""], None),
    ] {
        assert_eq!(sub_protocol(offered.iter().copied()), chosen, "{offered:?}");
    }
}

#[test]
fn heart_beats_are_mirrored_within_bounds() {
    for (client, answer, to_client, to_gateway) in [
        (None, "0,0", None, None),
        (Some("0,0"), "0,0", None, None),
        (Some("10000,10000"), "10000,10000", Some(10_000), Some(10_000)),
        (Some("4000,5000"), "5000,4000", Some(5000), Some(4000)),
        (Some("0,5000"), "5000,0", Some(5000), None),
        (Some("5000,0"), "0,5000", None, Some(5000)),
        (Some("1,999"), "1000,1000", Some(1000), Some(1000)),
        (Some("120000,90000"), "60000,60000", Some(90_000), Some(120_000)),
        (Some(" 2000 , 3000 "), "3000,2000", Some(3000), Some(2000)),
        (Some("99999999999,0"), "0,60000", None, Some(u32::MAX)),
    ] {
        let client = HeartBeat::parse(client).expect("valid");
        let gateway = client.answer();
        assert_eq!(gateway.to_string(), answer, "{client:?}");
        assert_eq!((gateway.interval_to(client), client.interval_to(gateway)), (to_client, to_gateway), "{client:?}");
    }
    for bad in ["", "1", ",", "1,", ",1", "1,2,3", "-1,0", "+1,0", "1.5,0", "a,b", "1;2", "0x1,0"] {
        assert_eq!(HeartBeat::parse(Some(bad)), Err(BadFrame::BadHeartBeat), "{bad}");
    }
}

#[test]
fn sockjs_messages_are_written_as_sockjs_does() {
    type Append<'a> = &'a dyn Fn(&mut Vec<u8>);
    let receipt = |out: &mut Vec<u8>| {
        append_server_frame(Framing::SockJs, Version::V1_2, &ServerFrame::Receipt { receipt_id: "a\"b", position: None }, out);
    };
    for (append, text) in [
        (&sockjs::append_open as Append<'_>, "o"),
        (&sockjs::append_heart_beat, "h"),
        (&|out| sockjs::append_close(3000, "Go \"away\"!", out), r#"c[3000,"Go \"away\"!"]"#),
        (&|out| append_heart_beat(Framing::SockJs, out), r#"a["\n"]"#),
        (&|out| append_heart_beat(Framing::WebSocket, out), "\n"),
        (&receipt, r#"a["RECEIPT\nreceipt-id:a\"b\n\n\u0000"]"#),
    ] {
        let mut out = Vec::new();
        append(&mut out);
        assert_eq!(out.escape_ascii().to_string(), [&[0x81, text.len() as u8], text.as_bytes()].concat().escape_ascii().to_string());
    }
}

#[test]
fn sockjs_messages_of_clients_are_read() {
    let most = format!("[{}]", vec![r#""a""#; sockjs::MAX_TEXTS].join(","));
    let many = format!("[{}]", vec![r#""a""#; sockjs::MAX_TEXTS + 1].join(","));
    assert_eq!(sockjs_unwrap(&most).map(|texts| texts.len()), Ok(sockjs::MAX_TEXTS));
    assert_eq!(sockjs_unwrap(&many), Err(BadFrame::ManySockJsTexts(sockjs::MAX_TEXTS)));
    for (message, texts) in [
        ("", &[][..]),
        ("[]", &[]),
        (r#"["SEND\n\n\u0000"]"#, &["SEND\n\n\0"]),
        (r#"["a","b"]"#, &["a", "b"]),
        (r#"[ "a" , "" ] "#, &["a", ""]),
        (r#""\n""#, &["\n"]),
        (r#" "é\ud83d\ude00""#, &["é😀"]),
    ] {
        assert_eq!(sockjs_unwrap(message).expect("valid"), texts, "{message}");
    }
    let bad_rest = many.replace(']', ",");
    for bad in ["a", "[", "{}", "[1]", "[[\"a\"]]", "null", "1", "[\"a\"", "[\"a\"]x", "[null]", "[\"\\ud800\"]", " ", "\"a", &bad_rest] {
        assert_eq!(sockjs_unwrap(bad), Err(BadFrame::BadSockJs), "{bad}");
    }
}

fn written(version: Version, frame: &ServerFrame<'_>) -> Received {
    let mut received: Vec<_> = [Framing::WebSocket, Framing::SockJs]
        .map(|framing| {
            let mut out = b"before".to_vec();
            append_server_frame(framing, version, frame, &mut out);
            let [received] = read_messages(framing, version, &out[6..]).expect("valid").try_into().expect("one message");
            received
        })
        .into();
    assert_eq!(received[0], received[1], "the framings have the same frame");
    received.remove(0)
}

fn headers(received: &Received) -> Vec<(&str, &str)> {
    received.headers.iter().map(|(name, value)| (&**name, &**value)).collect()
}

#[test]
fn connected_has_no_escapes_in_any_version() {
    for version in Version::ALL {
        let heart_beat = HeartBeat { sends: 1000, wants: 0 };
        let user = "a:b\\c";
        let received = written(version, &ServerFrame::Connected { server: "x/1.0", session: "id", heart_beat, user_name: Some(user) });
        let expected =
            [("version", version.as_str()), ("heart-beat", "1000,0"), ("server", "x/1.0"), ("session", "id"), ("user-name", user)];
        assert_eq!((&*received.command, headers(&received)), ("CONNECTED", expected.to_vec()));
    }
}

#[test]
fn an_error_has_a_text_as_body_and_no_escapes_in_version_1_0() {
    let frame = ServerFrame::Error { message: "no: \\ é", receipt_id: Some("r:1"), headers: &[("code", "103")], body: "more\n\0é" };
    for version in Version::ALL {
        let received = written(version, &frame);
        let expected =
            [("message", "no: \\ é"), ("receipt-id", "r:1"), ("code", "103"), ("content-type", "text/plain"), ("content-length", "8")];
        assert_eq!((&*received.command, headers(&received)), ("ERROR", expected.to_vec()));
        assert_eq!((received.body, received.is_binary), ("more\n\0é".into(), false));
    }
    let mut out = Vec::new();
    append_server_frame(Framing::WebSocket, Version::V1_0, &frame, &mut out);
    assert!(out[2..].starts_with("ERROR\nmessage:no: \\ é\nreceipt-id:r:1\n".as_bytes()), "{}", out.escape_ascii());
}

#[test]
fn a_message_to_one_connection_can_have_no_body_and_another_type() {
    let message =
        |headers, content| ServerFrame::Message { subscription: "s", destination: "/d", acks: true, message_id: "m", headers, content };
    let start = [("subscription", "s"), ("destination", "/d"), ("ack", "m"), ("message-id", "m")];
    let gap = written(Version::V1_2, &message(&[("x-gap", "true")], None));
    assert_eq!(headers(&gap), [&start[..], &[("x-gap", "true"), ("content-length", "0")]].concat());
    let content = Content::Json(Data::parse(&RawValue::from_string("{}".into()).expect("JSON")).expect("shallow"));
    let typed = written(Version::V1_2, &message(&[("content-type", "a/b+json"), ("x", "1"), ("content-type", "no")], Some(&content)));
    assert_eq!(headers(&typed), [&start[..], &[("x", "1"), ("content-type", "a/b+json"), ("content-length", "2")]].concat());
    let plain = written(Version::V1_2, &message(&[], Some(&content)));
    assert_eq!((plain.get("content-type"), &plain.body[..]), (Some("application/json"), &b"{}"[..]));
}
