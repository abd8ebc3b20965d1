//! Services that decide: who connects, and who subscribes.

use super::*;

const DOOR: &str = r#"start 2: ask about "guarded:a" within 4s"#;

fn subscribe(fields: &str) -> String {
    format!(r#"{{"id":5,"subscribe":{{"channel":"guarded:a"{fields}}}}}"#)
}

fn refusal(temporary: bool) -> Outcome {
    Outcome::CallFailed { code: 403, message: "members only".into(), temporary }
}

/// A connection without pings, which other tests show.
fn session() -> TestSession {
    TestSession::with(|config| config.ping_interval = Duration::from_hours(1000))
}

/// An anonymous connection that has subscribed to `guarded:a`; the answer is valid for 100 seconds.
fn guarded() -> TestSession {
    let mut it = session().connected(None);
    assert_eq!(it.send(&subscribe(r#","data":{"a":1}"#)), [r#"start 2: ask about "guarded:a" with {"a":1} within 4s"#]);
    it.complete(2, allowed(Some(100)));
    assert_eq!(it.complete(3, attached(0)).last().map(String::as_str), Some("go live guarded:a"));
    it
}

/// A connection that a service let in for 100 seconds.
fn let_in() -> TestSession {
    let mut it = session();
    it.send(r#"{"id":1,"connect":{"token":"t"}}"#);
    it.complete(1, named_by_service("alice", Some(100)));
    it.complete(2, stored(&[]));
    let opened = it.complete(3, attached(0));
    assert!(
        opened[0].starts_with(r#"{"id":1,"connect""#) && !opened[0].contains("expires"),
        "the gateway renews, not the client: {opened:?}"
    );
    it
}

#[test]
fn a_guard_is_asked_before_the_attach_and_both_share_the_time() {
    let mut it = TestSession::anonymous();
    assert_eq!(it.send(&subscribe("")), [DOOR]);
    it.advance(1);
    let permit =
        SubscribePermit { info: Some(data(r#"{"role":"host"}"#)), data: Some(data("[1]")), join_leave: Some(true), expires_in: None };
    let mut actions = Vec::new();
    it.session.handle(it.now, Input::Done(OpId(2), Outcome::Allowed(Box::new(permit))), &mut actions);
    let [Action::Start(OpId(3), Op::Attach(attach))] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(attach.within, Duration::from_secs(3));
    assert_eq!(line(&actions[0]), r#"start 3: attach guarded:a with joins as {"role":"host"}"#);
    let expected = format!(r#"{{"id":5,"subscribe":{{{POSITION}0,"data":[1]}}}}"#);
    assert_eq!(it.complete(3, attached(0)), [expected, "go live guarded:a".into()]);
}

#[test]
fn a_guard_may_refuse_or_disconnect_and_without_its_answer_nobody_gets_in() {
    for (outcome, expected) in [
        (refusal(false), r#"{"id":5,"error":{"code":403,"message":"members only"}}"#.to_owned()),
        (refusal(true), r#"{"id":5,"error":{"code":403,"message":"members only","temporary":true}}"#.to_owned()),
        (failed(ErrorCode::ServiceUnavailable), error(5, ErrorCode::ServiceUnavailable)),
        (failed(ErrorCode::TooManyRequests), error(5, ErrorCode::TooManyRequests)),
        (Outcome::Sent, error(5, ErrorCode::Internal)),
        (Outcome::Disconnect { code: 4003, reason: "banned".into() }, "close 4003 banned".to_owned()),
    ] {
        let mut it = TestSession::anonymous();
        assert_eq!(it.send(&subscribe("")), [DOOR]);
        assert_eq!(it.complete(2, outcome), [expected], "nothing is attached");
        assert!(it.session.channels().is_empty());
    }
}

#[test]
fn a_grant_is_checked_before_a_guard_and_a_token_replaces_the_guard() {
    let closed = |config: &mut SessionConfig| {
        let guarded = config.namespaces.named["guarded"].as_ref().clone();
        config.namespaces.named.insert("guarded".into(), Arc::new(ChannelOptions { subscribe: Grant::Nobody, ..guarded }));
    };
    let mut it = TestSession::with(closed).connected(None);
    assert_eq!(it.send(&subscribe("")), [error(5, ErrorCode::PermissionDenied)]);
    let mut it = TestSession::anonymous();
    assert_eq!(it.send(&subscribe(r#","token":"t""#)), [r#"start 2: authorize guarded:a "t""#]);
    assert_eq!(it.complete(2, authorized(None)), ["start 3: attach guarded:a"]);
}

#[test]
fn no_guard_is_asked_about_server_side_subscriptions() {
    let mut it = TestSession::alice();
    assert_eq!(it.send_server_command(subscribe_for("guarded:a", None)), ["start 4: attach guarded:a"]);
}

#[test]
fn an_unsubscribe_ends_a_question_under_way() {
    let mut it = TestSession::anonymous();
    it.send(&subscribe(""));
    let lines = it.send(r#"{"id":6,"unsubscribe":{"channel":"guarded:a"}}"#);
    assert_eq!(lines[0], "cancel 2");
    assert_eq!(errors(&lines), [(5, 107)]);
    assert_eq!(lines[2], r#"{"id":6,"unsubscribe":{}}"#);
    assert_eq!(it.complete(2, allowed(None)), Vec::<String>::new(), "a late answer has no effect");
}

#[test]
fn an_answer_that_ends_is_renewed_by_another_question() {
    let mut it = guarded();
    assert_eq!(it.advance(79), Vec::<String>::new());
    assert_eq!(it.advance(2), [r#"start 4: ask again about "guarded:a" with {"a":1} within 4s"#]);
    assert!(it.send(r#"{"id":7,"publish":{"channel":"guarded:a","data":1}}"#)[0].starts_with("start 5: publish"), "commands do not wait");
    assert_eq!(it.complete(4, allowed(Some(100))), Vec::<String>::new());
    assert_eq!(it.advance(79), Vec::<String>::new());
    assert_eq!(it.advance(2), [r#"start 6: ask again about "guarded:a" with {"a":1} within 4s"#]);
    assert_eq!(it.complete(6, allowed(None)), Vec::<String>::new());
    assert_eq!(it.advance(1000), Vec::<String>::new(), "the last answer does not expire");
}

#[test]
fn a_guard_that_refuses_a_renewal_ends_the_subscription() {
    let mut it = guarded();
    it.advance(81);
    let push = r#"{"push":{"channel":"guarded:a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#;
    assert_eq!(it.complete(4, refusal(false)), ["detach guarded:a", push]);
    let mut it = guarded();
    it.advance(81);
    assert_eq!(it.complete(4, Outcome::Disconnect { code: 4001, reason: "out".into() }), ["close 4001 out"]);
}

#[test]
fn a_guard_that_is_away_is_asked_until_the_grace_is_over() {
    let mut it = guarded();
    it.advance(81);
    let (mut op, mut asked) = (4, 1);
    loop {
        assert_eq!(it.complete(op, failed(ErrorCode::ServiceUnavailable)), Vec::<String>::new());
        let lines = it.advance(5);
        if lines.iter().any(|line| line == "detach guarded:a") {
            break;
        }
        (op, asked) = (op + 1, asked + 1);
        assert!(lines.iter().any(|line| line.starts_with(&format!("start {op}: ask again about"))), "{lines:?}");
    }
    assert_eq!(asked, 8, "from second 81 to second 120, every 5 seconds");
}

#[test]
fn renewals_wait_while_too_many_operations_are_in_flight() {
    let mut it = guarded();
    for id in 7..10 {
        it.send(&format!(r#"{{"id":{id},"rpc":{{"method":"bot.slow"}}}}"#));
    }
    assert_eq!(it.advance(81), Vec::<String>::new(), "no room");
    it.complete(4, called("0"));
    assert!(it.advance(1).iter().any(|line| line.starts_with("start 7: ask again about")));
}

#[test]
fn a_service_names_the_user_and_greets_the_application() {
    let mut it = TestSession::new();
    assert_eq!(it.send(r#"{"id":1,"connect":{"token":"t","data":{"v":2}}}"#), [r#"start 1: authenticate "t" with {"v":2}"#]);
    let Outcome::Authenticated(mut identity) = named_by_service("alice", None) else { panic!() };
    identity.channels = vec![channel("chat:a")];
    let permit = identity.permit.as_mut().expect("asked");
    permit.data = Some(data(r#"{"hello":1}"#));
    permit.meta = Meta::check(data(r#"{"plan":"pro"}"#)).expect("short");
    let lines = it.complete(1, Outcome::Authenticated(identity));
    assert_eq!(lines, [r#"meta {"plan":"pro"}"#, r#"register "alice""#, r#"start 2: read subscriptions of "alice" since 1700000000"#]);
    it.complete(2, stored(&[]));
    it.complete(3, attached(0));
    let opened = it.complete(4, attached(0));
    assert!(opened[0].contains(r#""data":{"hello":1},"subs":{"#) && !opened[0].contains("plan"), "{opened:?}");
}

#[test]
fn a_reply_may_change_what_a_service_keeps_with_the_connection() {
    let mut it = let_in();
    it.send(r#"{"id":6,"rpc":{"method":"bot.upgrade"}}"#);
    let meta = Meta::check(data("[1]")).expect("short");
    let reply = r#"{"id":6,"rpc":{"data":2}}"#;
    assert_eq!(it.complete(4, Outcome::Called { data: data("2"), meta: MetaChange::Set(meta) }), ["meta [1]", reply]);
    it.send(r#"{"id":6,"rpc":{"method":"bot.downgrade"}}"#);
    assert_eq!(it.complete(5, Outcome::Called { data: data("2"), meta: MetaChange::Set(None) }), ["meta none", reply]);
}

#[test]
fn a_service_may_refuse_or_disconnect_a_connection() {
    for (outcome, expected) in [
        (refusal(false), r#"{"id":1,"error":{"code":403,"message":"members only"}}"#.to_owned()),
        (refusal(true), r#"{"id":1,"error":{"code":403,"message":"members only","temporary":true}}"#.to_owned()),
        (failed(ErrorCode::Internal), error(1, ErrorCode::Internal)),
        (Outcome::Disconnect { code: 4003, reason: "banned".into() }, "close 4003 banned".to_owned()),
    ] {
        let mut it = TestSession::new();
        it.send(r#"{"id":1,"connect":{}}"#);
        assert_eq!(it.complete(1, outcome), [expected]);
    }
}

#[test]
fn a_revocation_at_the_moment_of_the_answer_makes_the_client_connect_again() {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    it.complete(1, named_by_service("alice", None));
    let lines = it.complete(2, failed(ErrorCode::TokenExpired));
    assert_eq!(errors(&lines), [(1, 100)]);
    assert!(lines[0].contains(r#""temporary":true"#), "{lines:?}");
}

#[test]
fn a_revocation_after_the_answer_closes_the_connection() {
    let revoked = |until| Input::Server(ServerCommand::Revoke(Arc::new(Revocation { until, code: 3503, reason: "enough".into() })));
    let mut it = let_in();
    assert_eq!(it.input(revoked(1_699_999_999)), Vec::<String>::new(), "it was let in after that");
    assert_eq!(it.input(revoked(1_700_000_000)), ["close 3503 enough"]);
}

#[test]
fn a_connection_whose_answer_ends_is_renewed() {
    let mut it = let_in();
    assert_eq!(it.advance(79), Vec::<String>::new());
    assert_eq!(it.advance(2), [r#"start 4: ask again "t""#]);
    assert_eq!(it.complete(4, named_by_service("alice", Some(100))), Vec::<String>::new());
    it.advance(79);
    assert_eq!(it.advance(2), [r#"start 5: ask again "t""#]);
    assert_eq!(it.complete(5, refusal(true)), Vec::<String>::new());
    assert_eq!(it.advance(5), [r#"start 6: ask again "t""#]);
    assert_eq!(it.complete(6, refusal(false)), ["close 3005 connection expired"]);
}

#[test]
fn a_connection_does_not_change_its_user() {
    let mut it = let_in();
    it.advance(81);
    assert_eq!(it.complete(4, named_by_service("bob", Some(100))), ["close 3005 connection expired"]);
}

#[test]
fn a_connection_ends_when_nobody_answers_within_the_grace() {
    let mut it = let_in();
    it.advance(81);
    assert!(it.complete(4, failed(ErrorCode::Internal)).is_empty());
    it.advance(30);
    assert_eq!(it.advance(10), ["close 3005 connection expired"]);
}

#[test]
fn data_that_cannot_be_used_closes_a_connection_that_has_not_begun() {
    let nested = "[".repeat(65) + &"]".repeat(65);
    let mut it = TestSession::new();
    assert_eq!(it.send(&format!(r#"{{"id":1,"connect":{{"data":{nested}}}}}"#)), ["close 3501 data is nested deeper than 64 levels"]);
}
