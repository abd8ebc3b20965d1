//! What goes to many connections is what each would get alone.

use super::*;
use crate::model::{CONTENT_TYPE, Content, Data, Epoch, Position, Publication};
use serde_json::value::RawValue;

fn json(text: &str) -> Content {
    Content::Json(Data::parse(&RawValue::from_string(text.into()).expect("JSON")).expect("shallow"))
}

fn publication(content: Content, tags: &[(&str, &str)]) -> Publication {
    let default_type = content.default_type().map(|kind| (CONTENT_TYPE.to_owned(), kind.to_owned()));
    let tags = default_type.into_iter().chain(tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Publication { position: None, content, tags: tags.collect(), info: None, time_ms: 0, traceparent: None }
}

fn subscription(id: &str, destination: &str) -> MessageSubscription {
    MessageSubscription { id: id.into(), destination: destination.into(), acks: false, queue: None, after: None }
}

fn append(form: &MessageForm, publication: &Publication, number: u64) -> (Vec<u8>, usize) {
    let template = MessageTemplate::new(form.version, form.framing, publication, number);
    let mut out = b"before".to_vec();
    let count = form.append(&template, publication, &mut out);
    (out.split_off(6), count)
}

#[test]
fn a_message_has_its_headers_in_the_documented_order() {
    let position = Position { epoch: Epoch::parse("AbCd1234").expect("valid"), offset: 7 };
    let tags = [("zeta", "1"), ("alpha", "2:3"), ("queue", "q"), ("destination", "fake"), ("receipt", "r")];
    let publication = Publication { position: Some(position), ..publication(json(r#"{"a":1}"#), &tags) };
    let acks = MessageSubscription { acks: true, ..subscription("sub-1", "/topic/chat:a") };
    let form = MessageForm {
        version: Version::V1_2,
        framing: Framing::WebSocket,
        subscriptions: [subscription("sub-0", "/topic/chat:a"), acks].into(),
    };
    let (bytes, count) = append(&form, &publication, 1);
    let shared =
        "message-id:AbCd1234-7\nx-position:AbCd1234-7\nalpha:2\\c3\nzeta:1\ncontent-type:application/json\ncontent-length:7\n\n{\"a\":1}\0";
    let messages = [
        format!("MESSAGE\nsubscription:sub-0\ndestination:/topic/chat\\ca\n{shared}"),
        format!("MESSAGE\nsubscription:sub-1\ndestination:/topic/chat\\ca\nack:AbCd1234-7\n{shared}"),
    ];
    let expected = messages.map(|text| [&[0x81, 126, 0, text.len() as u8], text.as_bytes()].concat()).concat();
    assert_eq!((bytes.escape_ascii().to_string(), count), (expected.escape_ascii().to_string(), 2));
}

#[test]
fn a_publisher_cannot_write_the_headers_of_the_gateway() {
    let reserved = [
        "subscription",
        "destination",
        "ack",
        "message-id",
        "x-position",
        "x-gap",
        "content-type",
        "content-length",
        "encoding",
        "receipt",
        "transaction",
        "queue",
        "",
    ];
    assert!(reserved.into_iter().all(is_reserved));
    assert!([" content-length", "ack\t", " "].into_iter().all(is_reserved));
    assert!(!["Ack", "x-gap2", "priority", "receipt-id"].into_iter().any(is_reserved));
    let tags = reserved.map(|name| (name, "fake"));
    let form = MessageForm { version: Version::V1_2, framing: Framing::WebSocket, subscriptions: [subscription("1", "/a")].into() };
    let received = read_messages(form.framing, form.version, &append(&form, &publication(json("1"), &tags), 0).0).expect("valid").remove(0);
    let fakes: Vec<_> = received.headers.iter().filter(|(_, value)| value == "fake").map(|(name, _)| &**name).collect();
    assert_eq!(fakes, ["content-type"], "the type is the publisher's");
}

#[test]
fn the_kind_of_message_follows_the_body_and_its_type() {
    let bytes = |bytes: &[u8]| Content::Bytes(bytes.into());
    for (publication, is_binary, kind, body, encoding) in [
        (publication(json("[1]"), &[]), false, "application/json", &b"[1]"[..], None),
        (publication(json("[1]"), &[(CONTENT_TYPE, "application/x+json")]), false, "application/x+json", b"[1]", None),
        (publication(Content::Text("é\0".into()), &[]), false, "text/plain", "é\0".as_bytes(), None),
        (publication(Content::Text("é".into()), &[(CONTENT_TYPE, "text/csv")]), false, "text/csv", "é".as_bytes(), None),
        (
            publication(Content::Text("é".into()), &[(CONTENT_TYPE, "Application/Octet-Stream; a=b")]),
            true,
            "Application/Octet-Stream; a=b",
            "é".as_bytes(),
            None,
        ),
        (publication(bytes(b"abc"), &[]), true, "application/octet-stream", b"abc", None),
        (publication(bytes(b"abc"), &[(CONTENT_TYPE, "a/b")]), false, "a/b", b"abc", None),
        (publication(bytes(b"\xff"), &[(CONTENT_TYPE, "text/plain")]), true, "text/plain", b"\xff", Some("base64")),
    ] {
        for framing in [Framing::WebSocket, Framing::SockJs] {
            let form = MessageForm { version: Version::V1_1, framing, subscriptions: [subscription("a", "b")].into() };
            let received = read_messages(framing, Version::V1_1, &append(&form, &publication, 3).0).expect("valid").remove(0);
            let (binary, encoding) = if framing == Framing::WebSocket { (is_binary, None) } else { (false, encoding) };
            assert_eq!((received.get("content-type"), received.get("encoding"), received.is_binary), (Some(kind), encoding, binary));
            let body = if encoding.is_some() { shared_proto::json::base64::encode(body).into_bytes() } else { body.to_vec() };
            assert_eq!((received.get("message-id"), &received.body), (Some("n-3"), &body));
        }
    }
}

#[test]
fn a_queue_takes_only_what_is_for_it() {
    let subscriptions = [None, Some("a"), Some("b")]
        .map(|queue| MessageSubscription { queue: queue.map(Into::into), ..subscription(queue.unwrap_or("all"), "d") });
    let form = MessageForm { version: Version::V1_2, framing: Framing::WebSocket, subscriptions: subscriptions.into() };
    for (tags, expected) in
        [(&[][..], &["all"][..]), (&[("queue", "a")], &["all", "a"]), (&[("queue", "c")], &["all"]), (&[("queue", "")], &["all"])]
    {
        let (bytes, count) = append(&form, &publication(json("1"), tags), 0);
        let received = read_messages(form.framing, form.version, &bytes).expect("valid");
        let ids: Vec<_> = received.iter().filter_map(|it| it.get("subscription")).collect();
        assert_eq!((ids, count), (expected.to_vec(), expected.len()), "{tags:?}");
        assert!(received.iter().all(|it| it.get("queue").is_none()));
    }
}

#[test]
fn headers_of_all_lengths_are_right() {
    for size in [0, 10, 20, 30, 40, 50, 65_400, 65_450, 70_000].into_iter().flat_map(|size| size..size + 10) {
        let publication = publication(Content::Text("x".repeat(size).into()), &[]);
        for framing in [Framing::WebSocket, Framing::SockJs] {
            let form = MessageForm { version: Version::V1_2, framing, subscriptions: [subscription("1", "/a")].into() };
            let received = read_messages(framing, Version::V1_2, &append(&form, &publication, 0).0).expect("valid");
            assert_eq!((received.len(), received[0].body.len()), (1, size));
        }
    }
}

fn contents() -> impl Strategy<Value = Content> {
    let texts = "[a\"\\\\é\0\r\n😀:]{0,10}";
    prop_oneof![
        texts.prop_map(|text| json(&serde_json::to_string(&[text]).expect("JSON"))),
        texts.prop_map(|text| Content::Text(text.into())),
        prop::collection::vec(any::<u8>(), 0..10).prop_map(|bytes| Content::Bytes(bytes.into())),
    ]
}

fn publications() -> impl Strategy<Value = Publication> {
    let names = "[a\"\\\\é\0\r\n:]{0,6}|queue|content-type|ack|x-gap|encoding|content-length";
    let tags = prop::collection::btree_map(names, "[a\"\\\\é\0\r\n: ]{0,6}|p|application/octet-stream", 0..5);
    let positions = prop::option::of(prop_oneof![0u64..12, any::<u64>()].prop_map(|offset| Position { epoch: Epoch::random(), offset }));
    (contents(), tags, positions).prop_map(|(content, mut tags, position)| {
        if let Some(kind) = content.default_type() {
            tags.entry(CONTENT_TYPE.to_owned()).or_insert_with(|| kind.to_owned());
        }
        Publication { position, content, tags, info: None, time_ms: 0, traceparent: None }
    })
}

fn forms() -> impl Strategy<Value = MessageForm> {
    let texts = "[a/\"\\\\é\0\r\n: ]{0,8}";
    let queues = prop::option::of(prop::sample::select(&["p", "q"][..]));
    let after = prop::option::of(0u64..10);
    let subscriptions = (texts, texts, any::<bool>(), queues, after).prop_map(|(id, destination, acks, queue, after)| {
        MessageSubscription { id: id.into(), destination: destination.into(), acks, queue: queue.map(Into::into), after }
    });
    (versions(), framings(), prop::collection::vec(subscriptions, 0..4)).prop_map(|(version, framing, subscriptions)| MessageForm {
        version,
        framing,
        subscriptions: subscriptions.into(),
    })
}

/// A name or value as a client of the version reads it.
fn seen(version: Version, is_name: bool, text: &str) -> String {
    let text = text.replace('\0', "\u{fffd}");
    let text = if version == Version::V1_2 { text } else { text.replace('\r', "\u{fffd}") };
    match version {
        Version::V1_0 if is_name => text.replace('\n', "\\n").replace(':', "\\c"),
        Version::V1_0 => text.replace('\n', "\\n"),
        _ => text,
    }
}

/// The headers that are documented.
fn expected_headers(
    form: &MessageForm,
    it: &MessageSubscription,
    publication: &Publication,
    number: u64,
    body: &[u8],
) -> Vec<(String, String)> {
    let id = publication.position.map_or_else(|| format!("n-{number}"), |at| format!("{}-{}", at.epoch, at.offset));
    let mut headers = vec![("subscription", &*it.id), ("destination", &*it.destination)];
    headers.extend(it.acks.then_some(("ack", &*id)));
    headers.push(("message-id", &id));
    headers.extend(publication.position.map(|_| ("x-position", &*id)));
    headers.extend(publication.tags.iter().map(|(name, value)| (&**name, &**value)).filter(|(name, _)| !is_reserved(name)));
    let in_base64 = form.framing == Framing::SockJs && str::from_utf8(publication.content.as_bytes()).is_err();
    headers.extend(in_base64.then_some(("encoding", "base64")));
    headers.push(("content-type", publication.tags.get(CONTENT_TYPE).map_or("application/json", |kind| kind)));
    let length = body.len().to_string();
    headers.push(("content-length", &length));
    headers.into_iter().map(|(name, value)| (seen(form.version, true, name), seen(form.version, false, value))).collect()
}

/// The subscriptions that get the publication.
fn wanting<'a>(form: &'a MessageForm, publication: &Publication) -> Vec<&'a MessageSubscription> {
    let queue = publication.tags.get("queue").map(|queue| &**queue);
    let is_new = |it: &&MessageSubscription| match (it.after, publication.position) {
        (Some(after), Some(at)) => at.offset > after,
        _ => true,
    };
    let wants = |it: &&MessageSubscription| it.queue.as_deref().is_none_or(|it| Some(it) == queue);
    form.subscriptions.iter().filter(is_new).filter(wants).collect()
}

/// The same messages, encoded one by one.
fn one_by_one(form: &MessageForm, publication: &Publication, number: u64) -> Vec<u8> {
    let id = publication.position.map_or_else(|| format!("n-{number}"), |at| format!("{}-{}", at.epoch, at.offset));
    let content_type = publication.tags.get_key_value(CONTENT_TYPE);
    let tags = publication.tags.iter().filter(|(name, _)| !is_reserved(name)).chain(content_type);
    let position = publication.position.map(|_| ("x-position", &*id));
    let headers: Vec<_> = position.into_iter().chain(tags.map(|(name, value)| (&**name, &**value))).collect();
    let mut out = Vec::new();
    for it in wanting(form, publication) {
        let frame = ServerFrame::Message {
            subscription: &it.id,
            destination: &it.destination,
            acks: it.acks,
            message_id: &id,
            headers: &headers,
            content: Some(&publication.content),
        };
        append_server_frame(form.framing, form.version, &frame, &mut out);
    }
    out
}

proptest! {
    #[test]
    fn all_forms_are_read_as_documented_and_equal_to_one_by_one(form in forms(), publication in publications(), number in any::<u64>()) {
        let (bytes, count) = append(&form, &publication, number);
        prop_assert_eq!(bytes.escape_ascii().to_string(), one_by_one(&form, &publication, number).escape_ascii().to_string());
        let wanting = wanting(&form, &publication);
        let received = read_messages(form.framing, form.version, &bytes).expect("valid");
        prop_assert_eq!((received.len(), count), (wanting.len(), wanting.len()));
        for (it, message) in wanting.into_iter().zip(received) {
            let plain = publication.content.as_bytes();
            let in_base64 = form.framing == Framing::SockJs && str::from_utf8(plain).is_err();
            let body = if in_base64 { shared_proto::json::base64::encode(plain).into_bytes() } else { plain.to_vec() };
            let is_octets = publication.tags.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream");
            let is_binary = form.framing == Framing::WebSocket && (is_octets || str::from_utf8(plain).is_err());
            let headers = expected_headers(&form, it, &publication, number, &body);
            prop_assert_eq!(message, Received { is_binary, command: "MESSAGE".into(), headers, body });
        }
    }
}
