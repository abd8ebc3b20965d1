use super::{testing::check_members, *};
use crate::{link, producer::Producer, rest};

#[derive(Debug, Deserialize)]
struct Inner {
    #[expect(dead_code, reason = "read for its type alone")]
    channel: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read for its type alone")]
struct Outer {
    #[serde(default, deserialize_with = "objects")]
    items: Vec<Inner>,
    limit: Option<u32>,
    level: Option<Level>,
}

#[derive(Debug, Deserialize)]
enum Level {
    Info,
}

#[test]
fn an_error_names_the_member() {
    for (json, path, text) in [
        (r#"{"limit":"5"}"#, Some("limit"), r#"limit: invalid type: string "5", expected u32 at line 1 column 12"#),
        (r#"{"limit":-1}"#, Some("limit"), "limit: invalid value: integer `-1`, expected u32 at line 1 column 11"),
        (r#"{"items":[{"channel":"a"},{}]}"#, Some("items[1]"), "items[1]: missing field `channel` at line 1 column 28"),
        (
            r#"{"items":[{"channel":null}]}"#,
            Some("items[0].channel"),
            "items[0].channel: invalid type: null, expected a string at line 1 column 25",
        ),
        (r#"{"items":["a"]}"#, Some("items[0]"), r#"items[0]: invalid type: string "a", expected an object at line 1 column 13"#),
        (r#"{"level":"loud"}"#, Some("level"), "level: unknown variant `loud`, expected `Info` at line 1 column 15"),
        (r#"{"level":["Info"]}"#, Some("level"), "level: expected value at line 1 column 10"),
        ("[]", None, "invalid type: sequence, expected an object at line 1 column 0"),
        (r#"{"limit":1,"limit":2}"#, None, "duplicate field `limit` at line 1 column 18"),
    ] {
        let error = read::<Outer>(json).expect_err(json);
        assert_eq!((error.path(), &*error.to_string(), error.is_json()), (path, text, true), "{json}");
    }
    assert!(read::<Outer>(r#"{"colour":1}"#).is_err_and(|error| error.message().contains("unknown field `colour`")));
}

#[test]
fn invalid_json_is_reported_as_such() {
    for json in ["", "{", r#"{"limit":1"#, r#"{"limit":1} 2"#, r#"{"limit":tru}"#] {
        let error = read::<Outer>(json).expect_err(json);
        assert!(!error.is_json() && error.path().is_none(), "{json}: {error}");
    }
    // The text is JSON, but one of its strings is not valid.
    for json in [&b"{\"items\":[{\"channel\":\"\xff\"}]}"[..], br#"{"items":[{"channel":"\ud800"}]}"#] {
        assert_eq!(read_bytes::<Outer>(json).expect_err("no text").path(), Some("items[0].channel"));
    }
}

#[test]
fn the_message_of_an_error_has_a_limit() {
    for filler in ["x", "ä", "\u{1F600}"] {
        let long = filler.repeat(10_000);
        for json in [format!(r#"{{"limit":"{long}"}}"#), format!(r#"{{"{long}":1}}"#)] {
            let error = read::<Outer>(&json).expect_err("no number");
            assert!((MESSAGE_MAX - 3..=MESSAGE_MAX).contains(&error.message().len()), "{} bytes", error.message().len());
            assert!(error.to_string().starts_with(error.message()) && error.to_string().contains(" at line 1 column "));
        }
    }
}

/// Checks the frames of both directions, because either end reads the frames of the other.
#[test]
fn frames_of_the_link_follow_the_json_rules() {
    check_members::<link::Hello>(r#"{"service":"bot","instance":"i1","credit":1,"events":["connected"]}"#, &[]);
    check_members::<link::Reply>(r#"{"id":1,"data":{},"meta":{}}"#, &["data", "meta"]);
    check_members::<link::CallError>(r#"{"id":1,"code":400,"message":"no","temporary":true}"#, &[]);
    let publish = r#"{"id":1,"channel":"a","data":{},"text":"t","data_base64":"","tags":{"a":"b"},"ephemeral":true,"idempotency_key":"k",
        "producer":{"id":"p","epoch":1,"seq":2},"traceparent":"t"}"#;
    check_members::<link::Publish>(publish, &["data"]);
    check_members::<link::Credit>(r#"{"n":1}"#, &[]);
    check_members::<link::Drain>("{}", &[]);
    let limits = r#"{"message_size":1,"publishes_in_flight":1,"heartbeat":1}"#;
    check_members::<link::Limits>(limits, &[]);
    check_members::<link::Welcome>(&format!(r#"{{"node":"n1","peers":["ws://a"],"limits":{limits}}}"#), &[]);
    let request = r#"{"headers":{"a":"b"},"emulated_headers":{"c":"d"},"address":"192.0.2.1"}"#;
    check_members::<link::FrontendRequest>(request, &[]);
    let call = r#"{"id":1,"method":"say","data":{},"user":"a","connection":"c","deadline_ms":1,"traceparent":"t","order_key":"k","idempotency_key":"i""#;
    check_members::<link::Call>(&format!(r#"{call},"meta":{{}},"request":{request}}}"#), &["data", "meta"]);
    let event = r#"{"id":"i","kind":"connected","generation":"g","time":1,"data":{},"user":"a","connection":"c","traceparent":"t","method":"m","attempt":1,"partition":2,"key":"k""#;
    check_members::<link::Event>(&format!(r#"{event},"meta":{{}},"request":{request}}}"#), &["data", "meta"]);
    check_members::<link::Cancel>(r#"{"id":1}"#, &[]);
    check_members::<link::Ack>(r#"{"id":1,"epoch":"e","offset":1}"#, &[]);
    let error = r#"{"code":"timeout","message":"m","retryable":true,"expected":7,"retry_after_ms":9}"#;
    check_members::<link::LinkError>(error, &[]);
    check_members::<link::Nack>(&format!(r#"{{"id":1,"error":{error}}}"#), &[]);
}

#[test]
fn errors_in_frames_of_the_link_name_the_member() {
    let refused = |json| read::<link::ToGateway>(json).expect_err(json).to_string();
    assert!(refused(r#"{"reply":{"id":"7","data":1}}"#).starts_with("reply.id: invalid type: string"));
    assert!(refused(r#"{"credit":{}}"#).starts_with("credit: missing field `n`"));
    assert!(refused(r#"{"credit":[1]}"#).starts_with("credit: invalid type: sequence"));
    assert!(refused(r#"{"dance":{}}"#).contains("unknown variant `dance`"));
    assert!(read::<link::ToGateway>(r#"{"drain":{},"credit":{"n":1}}"#).is_err());
}

#[test]
fn rest_requests_follow_the_json_rules() {
    let producer = r#"{"id":"p","epoch":1,"seq":2}"#;
    check_members::<Producer>(producer, &[]);
    let content = r#"{"data":{},"text":"t","data_base64":"","tags":{"a":"b"}}"#;
    check_members::<rest::PublishItem>(content, &["data"]);
    let whole = format!(r#"{{"ephemeral":true,"producer":{producer},{}"#, &content[1..]);
    check_members::<rest::PublishRequest>(&format!(r#"{{"publications":[{content}],"queue":"q",{}"#, &whole[1..]), &["data"]);
    check_members::<rest::BatchRequest>(r#"{"publications":[{"channel":"a","data":1}]}"#, &[]);
    let item = format!(r#"{{"channel":"a","idempotency_key":"k",{}"#, &whole[1..]);
    check_members::<rest::BatchItem>(&item, &["data"]);
    let broadcast = format!(r#"{{"channels":["a"],"users":["b"],{}"#, &whole[1..]);
    check_members::<rest::BroadcastRequest>(&broadcast, &["data"]);
    check_members::<rest::SubscriptionRequest>(r#"{"expires_at":1}"#, &[]);
    check_members::<rest::DrainRequest>(r#"{"draining":true}"#, &[]);
    check_members::<rest::MessageRequest>(r#"{"data":{},"queue":"q"}"#, &["data"]);
}

#[test]
fn rest_responses_follow_the_json_rules() {
    let position = r#"{"epoch":"e","offset":1}"#;
    check_members::<rest::PositionBody>(position, &[]);
    check_members::<rest::SpanBody>(r#"{"epoch":"e","first":1,"last":2}"#, &[]);
    let info = r#"{"user":"a","client":"c","conn_info":{},"chan_info":{}}"#;
    let publication = format!(r#"{{"offset":1,"data":{{}},"text":"t","data_base64":"","tags":{{"a":"b"}},"info":{info},"time":1}}"#);
    check_members::<rest::PublicationBody>(&publication, &["data"]);
    let problem = r#"{"type":"about:blank","title":"t","status":400,"code":"bad_request","retryable":true,"detail":"d","expected":7,"retry_after_ms":9}"#;
    check_members::<rest::Problem>(problem, &[]);
    check_members::<rest::HistoryBody>(r#"{"epoch":"e","offset":1,"publications":[{"offset":1,"data":1,"time":1}]}"#, &[]);
    check_members::<rest::BatchResult>(&format!(r#"{{"position":{position},"replayed":true,"error":{problem}}}"#), &[]);
    check_members::<rest::ChannelsBody>(r#"{"channels":[{"channel":"a","held":1}],"next":"b"}"#, &[]);
    check_members::<rest::ChannelBody>(&format!(r#"{{"channel":"a","position":{position},"held":1}}"#), &[]);
    check_members::<rest::ReadyBody>(r#"{"ready":true,"reasons":["r"]}"#, &[]);
}
