use super::*;
use crate::model::Unsubscribe;

fn subscribe(name: &str) -> ServerCommand {
    subscribe_for(name, None)
}

fn unsubscribe(name: &str, code: Unsubscribe) -> ServerCommand {
    ServerCommand::Unsubscribe { channel: channel(name), code }
}

#[test]
fn a_disconnect_closes_with_its_code_and_ends_the_session() {
    let mut it = TestSession::alice();
    assert_eq!(it.send_server_command(ServerCommand::Disconnect { code: 4001, reason: "elsewhere".into() }), ["close 4001 elsewhere"]);
    assert_eq!(it.send(r#"{"id":5,"ping":{}}"#), Vec::<String>::new());
    assert_eq!(it.advance(1000), Vec::<String>::new());
    assert!(!it.session.wants_input());
    let long = "ä".repeat(100);
    let closed = TestSession::alice().send_server_command(ServerCommand::Disconnect { code: 4001, reason: long.into() });
    assert_eq!(closed, [format!("close 4001 {}", "ä".repeat(61))], "a reason has at most 123 bytes");
}

#[test]
fn a_disconnect_closes_a_connection_that_awaits_its_connect() {
    assert_eq!(
        TestSession::new().send_server_command(ServerCommand::Disconnect { code: 3001, reason: "shutdown".into() }),
        ["close 3001 shutdown"]
    );
    assert_eq!(TestSession::new().send_server_command(ServerCommand::Message { data: data("1"), queue: None }), Vec::<String>::new());
}

fn revoked(it: &mut TestSession, until: u64) -> Vec<String> {
    it.send_server_command(ServerCommand::Revoke(Arc::new(Revocation { until, code: 4500, reason: "enough".into() })))
}

fn issued(at: Option<u64>) -> Outcome {
    Outcome::Authenticated(Box::new(Identity { issued: at, ..identity_of(user("alice")) }))
}

// NL-7.9
#[test]
fn a_revocation_closes_connections_with_an_older_token() {
    for (at, closed) in [(None, true), (Some(10), true), (Some(11), false)] {
        let mut it = TestSession::new();
        it.send(r#"{"id":1,"connect":{"token":"t"}}"#);
        it.complete(1, issued(at));
        let expected: &[&str] = if closed { &["close 4500 enough"] } else { &[] };
        assert_eq!(revoked(&mut it, 10), expected, "connecting, {at:?}");
        let mut it = TestSession::new();
        it.send(r#"{"id":1,"connect":{"token":"t"}}"#);
        it.complete(1, issued(at));
        it.complete(2, stored(&[]));
        it.complete(3, attached(0));
        assert_eq!(revoked(&mut it, 10), expected, "open, {at:?}");
    }
}

#[test]
fn a_revocation_applies_to_the_token_of_the_last_refresh() {
    let mut it = TestSession::alice();
    it.send(r#"{"id":5,"refresh":{"token":"t"}}"#);
    it.complete(
        4,
        Outcome::Refreshed { user: user("alice"), issued: Some(20), claims: None, meta: None, expires_in: None, capabilities: None },
    );
    assert_eq!(revoked(&mut it, 19), Vec::<String>::new());
    assert_eq!(revoked(&mut it, 20), ["close 4500 enough"]);
}

#[test]
fn the_connection_is_registered_by_the_claims_of_each_new_token() {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{"token":"t"}}"#);
    let identity = |name: &str, claims| {
        let (user, channels) = (user(name), Vec::new());
        Outcome::Authenticated(Box::new(Identity { issued: Some(7), claims, channels, ..identity_of(user) }))
    };
    let known = it.complete(1, identity("alice", claims("s", "1")));
    assert_eq!(known, [r#"register "alice" by sid, jti"#, r#"start 2: read subscriptions of "alice" since 7 by sid, jti"#]);
    it.complete(2, stored(&[]));
    it.complete(3, attached(0));
    it.send(r#"{"id":5,"refresh":{"token":"t"}}"#);
    let refreshed = Outcome::Refreshed {
        user: user("alice"),
        issued: Some(20),
        claims: claims("s", "2"),
        meta: None,
        expires_in: None,
        capabilities: None,
    };
    assert_eq!(it.complete(4, refreshed)[0], "replace token by sid, jti", "before the reply");
    it.send(r#"{"id":6,"refresh":{"token":"t"}}"#);
    let refused = Outcome::Refreshed {
        user: user("bob"),
        issued: Some(20),
        claims: claims("s", "3"),
        meta: None,
        expires_in: None,
        capabilities: None,
    };
    assert_eq!(it.complete(5, refused), ["close 3500 the token is for another user"], "the token before stays registered");

    let mut anonymous = TestSession::new();
    anonymous.send(r#"{"id":1,"connect":{"token":"t"}}"#);
    let known = anonymous.complete(1, identity("", claims("s", "1")));
    assert_eq!(known, [r#"register "" by sid, jti"#, r#"start 2: read subscriptions of "" since 7 by sid, jti"#]);
    assert_eq!(anonymous.complete(2, failed(ErrorCode::TokenExpired)), [error(1, ErrorCode::TokenExpired)]);
}

#[test]
fn each_new_token_replaces_the_meta_of_the_one_before() {
    let meta = |text: &str| Meta::check(data(text)).expect("short");
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{"token":"t"}}"#);
    let (user_id, channels) = (user(""), Vec::new());
    let identity = Identity { meta: meta(r#"{"role":1}"#), channels, ..identity_of(user_id) };
    assert_eq!(it.complete(1, Outcome::Authenticated(Box::new(identity)))[0], r#"meta {"role":1}"#);
    let refresh = |it: &mut TestSession, op, meta| {
        it.send(r#"{"id":5,"refresh":{"token":"t"}}"#);
        let lines =
            it.complete(op, Outcome::Refreshed { user: user(""), issued: None, claims: None, meta, expires_in: None, capabilities: None });
        lines.into_iter().find(|line| line.starts_with("meta "))
    };
    assert_eq!(refresh(&mut it, 2, meta(r#"{"role":2}"#)).as_deref(), Some(r#"meta {"role":2}"#));
    assert_eq!(refresh(&mut it, 3, None).as_deref(), Some("meta none"), "the new token grants less");
    assert_eq!(refresh(&mut it, 4, None), None);
    assert_eq!(refresh(&mut it, 5, meta("3")).as_deref(), Some("meta 3"));
    it.send(r#"{"id":6,"rpc":{"method":"bot.x","data":1}}"#);
    it.complete(6, Outcome::Called { data: data("1"), meta: MetaChange::Set(meta("4")) });
    assert_eq!(refresh(&mut it, 7, None), None, "what a service has set stays");
    assert_eq!(refresh(&mut it, 8, meta("5")).as_deref(), Some("meta 5"));
}

#[test]
fn a_revocation_for_ever_closes_a_connection_with_any_token() {
    let mut it = TestSession::alice();
    it.send(r#"{"id":5,"refresh":{"token":"t"}}"#);
    it.complete(
        4,
        Outcome::Refreshed { user: user("alice"), issued: Some(u64::MAX), claims: None, meta: None, expires_in: None, capabilities: None },
    );
    assert_eq!(revoked(&mut it, Revocation::ALWAYS - 1), Vec::<String>::new());
    assert_eq!(revoked(&mut it, Revocation::ALWAYS), ["close 4500 enough"]);
}

#[test]
fn a_service_subscribes_the_connection() {
    let mut it = TestSession::anonymous();
    let since = Some(position(4));
    assert_eq!(
        it.send_server_command(ServerCommand::Subscribe { channel: channel("closed:a"), since, expires_in: None }),
        [r#"start 2: attach closed:a from "abcd1234":4"#]
    );
    assert_eq!(it.send_server_command(subscribe("closed:a")), Vec::<String>::new(), "the attach is already in flight");
    let lines = it.complete(2, recovered(4, Recovery::Recovered, &[5]));
    let push = format!(r#"{{"push":{{"channel":"closed:a","subscribe":{{{POSITION}4}}}}}}"#);
    let missed = r#"{"push":{"channel":"closed:a","pub":{"data":1,"offset":5}}}"#;
    assert_eq!(lines, [push, missed.to_owned(), "go live closed:a".to_owned()]);
    assert_eq!(it.send_server_command(subscribe("closed:a")), Vec::<String>::new(), "the subscription already exists");
}

#[test]
fn a_services_subscription_expires_as_its_last_command_says() {
    let quiet = || TestSession::with(|config| config.ping_interval = Duration::from_secs(1000)).connected(Some("alice"));
    let ended = r#"{"push":{"channel":"open:a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#;
    let mut it = quiet();
    it.send_server_command(subscribe_for("open:a", Some(60)));
    it.advance(50);
    it.complete(4, attached(0));
    assert_eq!(it.session.deadline(), Some(Tick(61_000)), "the time counts from the command, not from the attach");
    assert_eq!(it.advance(9), Vec::<String>::new());
    assert_eq!(it.advance(1), ["detach open:a", ended]);
    assert_eq!(it.send_server_command(subscribe("open:a")), ["start 5: attach open:a"], "the service may subscribe it again");

    let mut it = quiet();
    it.send_server_command(subscribe_for("open:a", Some(60)));
    it.complete(4, attached(0));
    assert_eq!(it.send_server_command(subscribe_for("open:a", Some(100))), Vec::<String>::new());
    assert_eq!(it.advance(99), Vec::<String>::new(), "a later command may extend the expiry");
    it.send_server_command(subscribe_for("open:a", Some(5)));
    assert_eq!(it.advance(5), ["detach open:a", ended], "a later command may shorten the expiry");

    let mut it = quiet();
    it.send_server_command(subscribe_for("open:a", Some(60)));
    it.complete(4, attached(0));
    it.send_server_command(subscribe("open:a"));
    it.send_server_command(subscribe_for("#alice", Some(5)));
    assert_eq!(
        it.advance(400),
        Vec::<String>::new(),
        "a later command may remove the expiry, and a service cannot limit the personal channel"
    );

    let mut it = quiet();
    it.send_server_command(subscribe_for("open:a", Some(1 << 61)));
    it.complete(4, attached(0));
    assert_eq!(it.advance(400), Vec::<String>::new(), "an expiry beyond the range of the clock never comes");

    let mut it = quiet().subscribed("open:a", 4);
    it.send_server_command(subscribe_for("open:a", Some(5)));
    assert_eq!(it.advance(400), Vec::<String>::new(), "a service cannot limit a client-side subscription");
}

#[test]
fn a_failed_server_side_subscription_closes_the_connection() {
    let mut it = TestSession::anonymous();
    it.send_server_command(subscribe("open:a"));
    assert_eq!(it.complete(2, failed(ErrorCode::ServiceUnavailable)), ["close 3010 insufficient state"]);
    let mut full = TestSession::anonymous().subscribed("open:a", 2).subscribed("open:b", 3).subscribed("open:c", 4).subscribed("open:d", 5);
    assert_eq!(
        full.send_server_command(subscribe("open:e")),
        ["start 6: attach open:e"],
        "client-side subscriptions do not count towards the limit"
    );
    full.complete(6, attached(0));
    for (op, name) in [(7, "open:f"), (8, "open:g"), (9, "open:h")] {
        full.send_server_command(subscribe(name));
        full.complete(op, attached(0));
    }
    let closed = ["close 3010 services have given this user more channels than a connection may have"];
    assert_eq!(full.send_server_command(subscribe("open:i")), closed, "a connect with this many subscriptions would also be refused");
}

#[test]
fn a_subscribe_of_the_frontend_waits_for_one_of_the_server() {
    let mut it = TestSession::anonymous();
    it.send_server_command(subscribe("open:a"));
    assert_eq!(it.send(r#"{"id":5,"subscribe":{"channel":"open:a"}}"#), Vec::<String>::new());
    let lines = it.complete(2, attached(0));
    assert_eq!(lines.last(), Some(&error(5, ErrorCode::AlreadySubscribed)));
}

#[test]
fn a_service_ends_a_live_subscription() {
    let mut it = TestSession::anonymous().subscribed("open:a", 2);
    let push =
        |code: u16, reason: &str| format!(r#"{{"push":{{"channel":"open:a","unsubscribe":{{"code":{code},"reason":"{reason}"}}}}}}"#);
    assert_eq!(
        it.send_server_command(unsubscribe("open:a", Unsubscribe::Server)),
        ["detach open:a".to_owned(), push(2000, "server unsubscribe")]
    );
    assert_eq!(it.send_server_command(unsubscribe("open:a", Unsubscribe::Server)), Vec::<String>::new(), "the subscription has ended");
    it.send_server_command(subscribe("open:a"));
    it.complete(3, attached(0));
    assert_eq!(
        it.send_server_command(unsubscribe("open:a", Unsubscribe::Server))[0],
        "detach open:a",
        "a service may also end a server-side subscription"
    );
}

#[test]
fn a_service_ends_a_subscription_that_is_under_way() {
    let mut it = TestSession::anonymous();
    it.send_server_command(subscribe("open:a"));
    it.send(r#"{"id":4,"publish":{"channel":"open:a","data":null}}"#);
    let lines = it.send_server_command(unsubscribe("open:a", Unsubscribe::Server));
    assert_eq!(
        lines,
        ["cancel 2", "detach open:a", "start 3: publish open:a null"],
        "the client does not know of the subscription, so it gets no push"
    );
    for (code, expected) in [(Unsubscribe::Server, 103), (Unsubscribe::InsufficientState, 100)] {
        let mut it = TestSession::anonymous();
        it.send(r#"{"id":5,"subscribe":{"channel":"open:a"}}"#);
        let lines = it.send_server_command(unsubscribe("open:a", code));
        assert_eq!(lines[..2], ["cancel 2", "detach open:a"]);
        assert_eq!(errors(&lines), [(5, expected)]);
    }
}

#[test]
fn a_message_is_pushed() {
    assert_eq!(
        TestSession::anonymous().send_server_command(ServerCommand::Message { data: data("[1]"), queue: None }),
        [r#"{"push":{"message":{"data":[1]}}}"#]
    );
}

// NL-1.8, NL-5.5
#[test]
fn lost_publications_end_a_client_side_subscription_or_close_the_connection() {
    let mut it = TestSession::alice().subscribed("chat:a", 4);
    let push = r#"{"push":{"channel":"chat:a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#;
    assert_eq!(it.input(Input::PublicationsLost(channel("chat:a"))), ["detach chat:a", push]);
    assert_eq!(it.input(Input::PublicationsLost(channel("chat:a"))), Vec::<String>::new());
    it.send(r#"{"id":5,"subscribe":{"channel":"chat:a"}}"#);
    assert_eq!(it.input(Input::PublicationsLost(channel("chat:a"))), Vec::<String>::new(), "the attach in flight finds the loss");
    assert_eq!(it.input(Input::PublicationsLost(channel("#alice"))), ["close 3010 insufficient state"]);
}
