use super::*;

const PING: &str = "{}";

#[test]
fn the_first_ping_comes_after_a_fraction_of_the_interval() {
    let mut it = TestSession::anonymous();
    assert_eq!(it.session.deadline(), Some(Tick(13_500)), "the first ping is due after half an interval");
    it.now = Tick(13_499);
    assert_eq!(it.input(Input::Timer), Vec::<String>::new());
    it.now = Tick(13_500);
    assert_eq!(it.input(Input::Timer), [PING]);
    assert_eq!(it.session.deadline(), Some(Tick(21_500)), "deadline for the pong");
    assert_eq!(it.send("{}"), Vec::<String>::new());
    assert_eq!(it.session.deadline(), Some(Tick(38_500)), "deadline for the next ping");
    assert_eq!(it.advance(25), [PING]);
}

#[test]
fn a_missing_pong_closes_the_connection_and_an_unexpected_one_is_ignored() {
    let mut it = TestSession::anonymous();
    assert_eq!(it.send("{}"), Vec::<String>::new());
    assert_eq!(it.advance(13), [PING]);
    it.send(r#"{"id":2,"ping":{}}"#);
    assert_eq!(it.advance(8), ["close 3012 no pong"], "a ping of the client is not a pong");
}

#[test]
fn no_pong_is_missing_while_the_connection_is_not_read() {
    let mut it = TestSession::anonymous();
    assert_eq!(it.advance(13), [PING]);
    it.now = it.now.after(Duration::from_secs(8));
    assert_eq!(it.input(Input::NotRead), Vec::<String>::new());
    assert_eq!(it.input(Input::Timer), Vec::<String>::new());
    assert_eq!(it.advance(7), Vec::<String>::new());
    assert_eq!(it.advance(1), ["close 3012 no pong"], "it was read for the whole time since");
}

#[test]
fn with_control_frames_only_a_control_frame_is_a_pong() {
    let mut it = TestSession::pinged_by_frames();
    it.send(r#"{"id":1,"connect":{}}"#);
    assert_eq!(it.input(Input::ControlPong), Vec::<String>::new());
    let lines = it.complete(1, identity(""));
    assert!(lines[1].contains(r#""ping":0,"session""#), "{lines:?}");
    assert_eq!(it.advance(13), ["ping"]);
    assert_eq!(it.input(Input::ControlPong), Vec::<String>::new());
    assert_eq!(it.advance(25), ["ping"], "the pong arrived in time");
    it.send(r#"{"id":2,"ping":{}}"#);
    assert_eq!(it.send("{}"), Vec::<String>::new());
    assert_eq!(it.advance(8), ["close 3012 no pong"], "a message is not a pong");

    let mut other = TestSession::anonymous();
    assert_eq!(other.advance(13), [PING]);
    other.input(Input::ControlPong);
    assert_eq!(other.advance(8), ["close 3012 no pong"], "nor is a control frame, if messages are the form");
}

#[test]
fn a_pong_is_not_missing_while_the_connection_is_not_read() {
    let mut it = TestSession::anonymous();
    assert_eq!(it.advance(13), [PING]);
    for id in 1..=3 {
        it.send(&format!(r#"{{"id":{id},"rpc":{{"method":"m"}}}}"#));
    }
    assert!(!it.session.wants_input());
    assert_eq!(it.advance(8), Vec::<String>::new());
    assert_eq!(it.advance(7), Vec::<String>::new());
    it.complete(2, called("0"));
    assert_eq!(it.advance(7), Vec::<String>::new(), "the time for the pong restarts when the connection is read again");
    assert_eq!(it.advance(1), ["close 3012 no pong"]);
}

fn expiring(seconds: u64) -> TestSession {
    let mut it = TestSession::with(|config| config.ping_interval = Duration::from_secs(1000));
    it.send(r#"{"id":1,"connect":{"token":"t"}}"#);
    let identity = Identity { expires_in: Some(Duration::from_secs(seconds)), ..identity_of(user("")) };
    it.complete(1, Outcome::Authenticated(Box::new(identity)));
    it
}

#[test]
fn a_connection_closes_after_the_grace_period_of_its_token() {
    let mut it = expiring(60);
    assert_eq!(it.session.deadline(), Some(Tick(81_000)));
    assert_eq!(it.advance(79), Vec::<String>::new());
    assert_eq!(it.advance(1), ["close 3005 connection expired"]);
}

#[test]
fn a_refresh_extends_the_connection() {
    let mut it = expiring(60);
    it.advance(50);
    assert_eq!(it.send(r#"{"id":2,"refresh":{"token":"u"}}"#), [r#"start 2: refresh "u""#]);
    let answer = |more: &str| format!(r#"{{"id":2,"refresh":{{"client":"{CLIENT}","version":"{}"{more}}}}}"#, env!("CARGO_PKG_VERSION"));
    let refreshed =
        |seconds| Outcome::Refreshed { user: user(""), issued: None, claims: None, meta: None, expires_in: seconds, capabilities: None };
    assert_eq!(it.complete(2, refreshed(Some(Duration::from_secs(60)))), [answer(r#","expires":true,"ttl":60"#)]);
    assert_eq!(it.advance(79), Vec::<String>::new());
    it.send(r#"{"id":2,"refresh":{"token":"v"}}"#);
    assert_eq!(it.complete(3, refreshed(None)), [answer("")]);
    assert_eq!(it.advance(200), Vec::<String>::new(), "the token does not expire");
}

#[test]
fn a_refresh_with_a_bad_token_closes_or_is_refused() {
    for (outcome, answer) in [
        (
            Outcome::Refreshed { user: user("bob"), issued: None, claims: None, meta: None, expires_in: None, capabilities: None },
            "close 3500 the token is for another user".to_owned(),
        ),
        (
            Outcome::Refreshed {
                user: user(""),
                issued: None,
                claims: None,
                meta: None,
                expires_in: Some(Duration::ZERO),
                capabilities: None,
            },
            "close 3005 connection expired".to_owned(),
        ),
        (Outcome::InvalidToken(Refusal::new(ErrorCode::Unauthorized, "bad")), "close 3500 bad".to_owned()),
        (failed(ErrorCode::TokenExpired), "close 3005 connection expired".to_owned()),
        (failed(ErrorCode::ServiceUnavailable), error(2, ErrorCode::ServiceUnavailable)),
        (Outcome::Sent, error(2, ErrorCode::Internal)),
    ] {
        let mut it = expiring(60);
        it.send(r#"{"id":2,"refresh":{"token":"u"}}"#);
        assert_eq!(it.complete(2, outcome), [answer]);
    }
}

#[test]
fn a_subscription_ends_with_2501_after_the_grace_period_of_its_token() {
    let mut it =
        TestSession::with(|config| config.ping_interval = Duration::from_secs(1000)).connected(None).subscribed_by_token("vip:a", 2, 60);
    assert_eq!(it.session.deadline(), Some(Tick(81_000)));
    assert_eq!(it.advance(79), Vec::<String>::new());
    let push = r#"{"push":{"channel":"vip:a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#;
    assert_eq!(it.advance(1), ["detach vip:a", push]);
    assert_eq!(it.send(r#"{"id":5,"subscribe":{"channel":"vip:a","token":"u"}}"#), [r#"start 4: authorize vip:a "u""#]);
}

#[test]
fn a_server_side_subscription_expires_without_a_grace_period() {
    let mut it = TestSession::with(|config| config.ping_interval = Duration::from_secs(1000));
    it.send(r#"{"id":1,"connect":{}}"#);
    it.complete(1, identity("alice"));
    it.complete(2, stored(&[("open:a", Some(5))]));
    it.complete(3, attached(0));
    it.complete(4, attached(0));
    assert_eq!(it.session.deadline(), Some(Tick(6000)), "no grace period, because there is no token to refresh");
    let push = r#"{"push":{"channel":"open:a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#;
    assert_eq!(it.advance(5), ["detach open:a", push]);
}

#[test]
fn a_sub_refresh_extends_the_subscription() {
    let mut it =
        TestSession::with(|config| config.ping_interval = Duration::from_secs(1000)).connected(None).subscribed_by_token("vip:a", 2, 60);
    it.advance(70);
    assert_eq!(it.send(r#"{"id":5,"sub_refresh":{"channel":"vip:a","token":"u"}}"#), [r#"start 4: authorize vip:a "u""#]);
    assert_eq!(it.complete(4, authorized(Some(60))), [r#"{"id":5,"sub_refresh":{"expires":true,"ttl":60}}"#]);
    assert_eq!(it.advance(79), Vec::<String>::new());
    it.send(r#"{"id":6,"sub_refresh":{"channel":"vip:a","token":"u"}}"#);
    assert_eq!(it.complete(5, authorized(None)), [r#"{"id":6,"sub_refresh":{}}"#]);
    assert_eq!(it.advance(100), Vec::<String>::new());
}

#[test]
fn a_sub_refresh_with_a_bad_token_is_refused() {
    let ended = r#"{"push":{"channel":"vip:a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#.to_owned();
    for (outcome, before, code) in [
        (Outcome::InvalidToken(ErrorCode::Unauthorized.into()), Vec::new(), 103),
        (failed(ErrorCode::ServiceUnavailable), Vec::new(), 1000),
        (Outcome::Sent, Vec::new(), 100),
        (failed(ErrorCode::TokenExpired), vec!["detach vip:a".to_owned(), ended.clone()], 109),
        (authorized(Some(0)), vec!["detach vip:a".to_owned(), ended.clone()], 109),
    ] {
        let mut it = TestSession::anonymous().subscribed_by_token("vip:a", 2, 60);
        it.send(r#"{"id":5,"sub_refresh":{"channel":"vip:a","token":"u"}}"#);
        let lines = it.complete(4, outcome);
        assert_eq!(lines[..lines.len() - 1], before);
        assert_eq!(errors(&lines), [(5, code)]);
    }
    let mut it = TestSession::alice().subscribed("open:a", 4);
    for (name, code) in [("open:a", 103), ("vip:a", 103), ("#alice", 103), ("a b", 107)] {
        assert_eq!(errors(&it.send(&format!(r#"{{"id":5,"sub_refresh":{{"channel":"{name}","token":"u"}}}}"#))), [(5, code)], "{name}");
    }
}

#[test]
fn a_sub_refresh_fails_if_the_subscription_has_ended_meanwhile() {
    let mut it = TestSession::anonymous().subscribed_by_token("vip:a", 2, 60);
    it.send(r#"{"id":5,"sub_refresh":{"channel":"vip:a","token":"u"}}"#);
    it.input(Input::PublicationsLost(channel("vip:a")));
    assert_eq!(errors(&it.complete(4, authorized(None))), [(5, 103)]);
}
