use super::*;

fn subscribe(fields: &str) -> String {
    format!(r#"{{"id":5,"subscribe":{{{fields}}}}}"#)
}

#[test]
fn the_reply_comes_before_the_first_push() {
    let mut it = TestSession::anonymous();
    assert_eq!(it.send(&subscribe(r#""channel":"chat:a""#)), ["start 2: attach chat:a"]);
    assert_eq!(it.complete(2, attached(3)), [format!(r#"{{"id":5,"subscribe":{{{POSITION}3}}}}"#), "go live chat:a".into()]);
}

#[test]
fn a_channel_without_history_has_no_position() {
    let mut it = TestSession::anonymous();
    it.send(&subscribe(r#""channel":"open:a""#));
    let attached = Outcome::Attached(Attached::default());
    assert_eq!(it.complete(2, attached), [r#"{"id":5,"subscribe":{}}"#, "go live open:a"]);
}

#[test]
fn a_recovery_starts_at_the_position_of_the_client() {
    let mut it = TestSession::anonymous();
    let started = it.send(&subscribe(r#""channel":"chat:a","recover":true,"epoch":"abcd1234","offset":3"#));
    assert_eq!(started, [r#"start 2: attach chat:a from "abcd1234":3"#]);
    let page = format!(
        r#"{{"id":5,"subscribe":{{{POSITION}3,"publications":[{{"data":1,"offset":4}}],"recovered":true,"was_recovering":true}}}}"#
    );
    assert_eq!(it.complete(2, recovered(3, Recovery::Recovered, &[4])), [page, "go live chat:a".into()]);
}

#[test]
fn a_failed_recovery_is_reported_or_refused_as_the_client_wants() {
    let recover = r#""channel":"chat:a","recover":true,"epoch":"x","offset":3"#;
    let mut it = TestSession::anonymous();
    it.send(&subscribe(recover));
    let expected = format!(r#"{{"id":5,"subscribe":{{{POSITION}8,"was_recovering":true}}}}"#);
    assert_eq!(it.complete(2, recovered(8, Recovery::Lost, &[])), [expected, "go live chat:a".into()]);

    let mut it = TestSession::anonymous();
    it.send(&subscribe(&format!(r#"{recover},"flag":2"#)));
    let refused = it.complete(2, recovered(8, Recovery::Lost, &[]));
    assert_eq!(refused, ["detach chat:a".to_owned(), error(5, ErrorCode::UnrecoverablePosition)]);
    assert_eq!(it.send(&subscribe(r#""channel":"chat:a""#)), ["start 3: attach chat:a"], "the subscription has ended");
}

#[test]
fn joins_need_the_option_of_the_namespace_and_of_the_client() {
    for (fields, started) in [
        (r#""channel":"chat:a","join_leave":true"#, "start 2: attach chat:a with joins"),
        (r#""channel":"chat:a""#, "start 2: attach chat:a"),
        (r#""channel":"open:a","join_leave":true"#, "start 2: attach open:a"),
    ] {
        assert_eq!(TestSession::anonymous().send(&subscribe(fields)), [started]);
    }
}

#[test]
fn a_subscribe_without_access_is_refused() {
    for (channel, code) in [
        ("", 107),
        ("a b", 107),
        ("#", 107),
        ("nowhere:a", 102),
        ("closed:a", 103),
        ("vip:a", 103),
        ("plain", 103),
        ("#bob", 103),
        ("#alice", 105),
    ] {
        let lines = TestSession::alice().send(&subscribe(&format!(r#""channel":"{channel}""#)));
        assert_eq!(errors(&lines), [(5, code)], "{channel:?}: {lines:?}");
    }
    let why = &TestSession::anonymous().send(&subscribe(r#""channel":"a b""#))[0];
    assert!(why.contains("contains a character other than"), "{why}");
}

#[test]
fn a_token_is_checked_before_the_attach_and_gives_the_channel_info() {
    let mut it = TestSession::anonymous();
    assert_eq!(it.send(&subscribe(r#""channel":"vip:a","token":"t""#)), [r#"start 2: authorize vip:a "t""#]);
    let authorized = Outcome::Authorized { info: Some(data(r#"{"role":"host"}"#)), expires_in: Some(Duration::from_millis(59_001)) };
    assert_eq!(it.complete(2, authorized), [r#"start 3: attach vip:a as {"role":"host"}"#]);
    let expected = format!(r#"{{"id":5,"subscribe":{{"expires":true,"ttl":60,{POSITION}0}}}}"#);
    assert_eq!(it.complete(3, attached(0)), [expected, "go live vip:a".into()]);
}

#[test]
fn a_bad_subscription_token_refuses_the_subscribe_only() {
    for (outcome, code) in [
        (failed(ErrorCode::TokenExpired), 109),
        (Outcome::InvalidToken(ErrorCode::Unauthorized.into()), 103),
        (authorized(Some(0)), 109),
        (Outcome::Published, 100),
    ] {
        let mut it = TestSession::anonymous();
        it.send(&subscribe(r#""channel":"vip:a","token":"t""#));
        assert_eq!(errors(&it.complete(2, outcome)), [(5, code)]);
        assert_eq!(it.send(&subscribe(r#""channel":"vip:a","token":"u""#)), [r#"start 3: authorize vip:a "u""#]);
    }
}

#[test]
fn a_failed_attach_detaches_the_channel() {
    for (outcome, code) in [(failed(ErrorCode::ServiceUnavailable), ErrorCode::ServiceUnavailable), (Outcome::Sent, ErrorCode::Internal)] {
        let mut it = TestSession::anonymous();
        it.send(&subscribe(r#""channel":"chat:a""#));
        assert_eq!(it.complete(2, outcome), ["detach chat:a".to_owned(), error(5, code)]);
        assert_eq!(it.send(&subscribe(r#""channel":"chat:a""#)), ["start 3: attach chat:a"]);
    }
}

#[test]
fn a_second_subscribe_to_a_channel_and_an_excess_subscribe_are_refused() {
    let mut it = TestSession::anonymous().subscribed("open:a", 2);
    assert_eq!(it.send(&subscribe(r#""channel":"open:a""#)), [error(5, ErrorCode::AlreadySubscribed)]);
    let mut it = it.subscribed("open:b", 3).subscribed("open:c", 4).subscribed("open:d", 5);
    assert_eq!(errors(&it.send(&subscribe(r#""channel":"open:e""#))), [(5, 106)]);
    assert_eq!(it.send(&subscribe(r#""channel":"open:a""#)), [error(5, ErrorCode::AlreadySubscribed)], "this error comes before the limit");
    it.send(r#"{"id":6,"unsubscribe":{"channel":"open:b"}}"#);
    assert_eq!(it.send(&subscribe(r#""channel":"open:e""#)), ["start 6: attach open:e"]);
}

#[test]
fn unsubscribe_always_succeeds() {
    let mut it = TestSession::alice().subscribed("open:a", 4);
    let done = r#"{"id":6,"unsubscribe":{}}"#;
    assert_eq!(it.send(r#"{"id":6,"unsubscribe":{"channel":"open:a"}}"#), ["detach open:a", done]);
    assert_eq!(it.send(r#"{"id":6,"unsubscribe":{"channel":"open:a"}}"#), [done], "although it is not subscribed");
    assert_eq!(it.send(r#"{"id":6,"unsubscribe":{"channel":"a b"}}"#), [done], "although the name is invalid");
    assert_eq!(
        it.send(r##"{"id":6,"unsubscribe":{"channel":"#alice"}}"##),
        ["detach #alice", done],
        "a client may also end a server-side subscription"
    );
    assert_eq!(it.send(&subscribe(r##""channel":"#alice""##)), ["start 5: attach #alice"], "the owner may subscribe again");
}

#[test]
fn a_newer_subscribe_supersedes_one_under_way() {
    let mut it = TestSession::anonymous();
    it.send(&subscribe(r#""channel":"chat:a""#));
    let lines = it.send(r#"{"id":6,"subscribe":{"channel":"chat:a","recover":true,"offset":1}}"#);
    assert_eq!(lines[..2], ["cancel 2", "detach chat:a"]);
    assert_eq!(errors(&lines), [(5, 107)]);
    assert_eq!(lines[3], r#"start 3: attach chat:a from "":1"#);
    assert_eq!(it.complete(2, attached(0)), Vec::<String>::new(), "the outcome of a superseded attach is ignored");
    assert_eq!(it.complete(3, attached(0)).last().map(String::as_str), Some("go live chat:a"));
}

#[test]
fn superseding_a_subscribe_detaches_nothing_while_its_token_is_checked() {
    let mut it = TestSession::anonymous();
    it.send(&subscribe(r#""channel":"vip:a","token":"t""#));
    let lines = it.send(r#"{"id":6,"subscribe":{"channel":"vip:a","token":"u"}}"#);
    assert_eq!(lines[0], "cancel 2");
    assert_eq!(errors(&lines), [(5, 107)]);
    assert_eq!(lines[2..], [r#"start 3: authorize vip:a "u""#]);
}

#[test]
fn an_unsubscribe_aborts_a_subscribe_under_way() {
    let mut it = TestSession::anonymous();
    it.send(&subscribe(r#""channel":"chat:a""#));
    let lines = it.send("{\"id\":6,\"unsubscribe\":{\"channel\":\"chat:a\"}}\n{\"id\":7,\"subscribe\":{\"channel\":\"chat:a\"}}");
    assert_eq!(lines[..2], ["cancel 2", "detach chat:a"]);
    assert_eq!(errors(&lines), [(5, 107)]);
    assert_eq!(lines[3..], [r#"{"id":6,"unsubscribe":{}}"#, "start 3: attach chat:a"]);
}
