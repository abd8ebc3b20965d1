use super::*;

fn connect_reply(fields: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let end = format!(r#""ping":25,"pong":true,"session":"{CLIENT}","node":"n1","time":1700000000000"#);
    format!(r#"{{"id":1,"connect":{{"client":"{CLIENT}","version":"{version}",{fields}{end}}}}}"#)
}

#[test]
fn the_connect_reply_has_the_time_at_which_it_is_written() {
    let mut it = TestSession::new();
    it.advance(2);
    it.send(r#"{"id":1,"connect":{}}"#);
    it.advance(1);
    let lines = it.complete(1, identity(""));
    assert!(lines[1].ends_with(r#""time":1700000003000}}"#), "{lines:?}");
}

fn alice(seconds: Option<u64>, channels: &[&str]) -> Outcome {
    let channels = channels.iter().map(|name| channel(name)).collect();
    Outcome::Authenticated(Box::new(Identity { expires_in: seconds.map(Duration::from_secs), channels, ..identity_of(user("alice")) }))
}

#[test]
fn an_anonymous_connection_has_no_subscriptions() {
    let mut it = TestSession::new();
    assert_eq!(it.send(r#"{"id":1,"connect":{}}"#), [r#"start 1: authenticate """#]);
    assert_eq!(it.complete(1, identity("")), ["register \"\"".to_owned(), connect_reply("")]);
}

#[test]
fn a_user_recovers_the_personal_channel_and_the_channels_of_the_token() {
    let mut it = TestSession::new();
    let asked = it.send(
        r##"{"id":1,"connect":{"token":"t","subs":{"#alice":{"recover":true,"epoch":"abcd1234","offset":5},"gone":{"recover":true}}}}"##,
    );
    assert_eq!(asked, [r#"start 1: authenticate "t""#]);
    let known = it.complete(1, alice(Some(600), &["chat:a", "#alice", "chat:a"]));
    assert_eq!(known, [r#"register "alice""#, r#"start 2: read subscriptions of "alice""#]);
    let started = it.complete(2, stored(&[("#alice", None), ("chat:a", Some(5))]));
    assert_eq!(started, [r#"start 3: attach #alice from "abcd1234":5"#, "start 4: attach chat:a"]);
    assert_eq!(it.complete(4, attached(9)), Vec::<String>::new());
    let opened = it.complete(3, recovered(5, Recovery::Recovered, &[6, 7]));
    let subs = format!(
        r##""expires":true,"ttl":600,"subs":{{"#alice":{{{POSITION}5,"publications":[{{"data":1,"offset":6}},{{"data":1,"offset":7}}],"recovered":true,"was_recovering":true}},"chat:a":{{{POSITION}9}}}},"##
    );
    assert_eq!(opened, [connect_reply(&subs), "go live #alice".into(), "go live chat:a".into()]);
    assert_eq!(
        it.advance(10),
        Vec::<String>::new(),
        "the subscription of the token has no expiry, although the service gave its subscription five seconds"
    );
}

// NL-5.6
#[test]
fn after_a_failed_recovery_publications_are_sent_as_pushes() {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    it.complete(1, alice(None, &[]));
    it.complete(2, stored(&[]));
    let opened = it.complete(3, recovered(7, Recovery::Lost, &[8]));
    let subs = format!(r##""subs":{{"#alice":{{{POSITION}7,"was_recovering":true}}}},"##);
    let push = r##"{"push":{"channel":"#alice","pub":{"data":1,"offset":8}}}"##;
    assert_eq!(opened, [connect_reply(&subs), push.into(), "go live #alice".into()]);
}

// NL-5.9
#[test]
fn a_failed_attach_refuses_the_connect_and_detaches_every_channel() {
    let mut it = TestSession::new();
    it.send("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"rpc\":{}}");
    it.complete(1, alice(None, &["chat:a"]));
    it.complete(2, stored(&[("chat:b", None)]));
    it.complete(3, attached(0));
    let lines = it.complete(4, failed(ErrorCode::ServiceUnavailable));
    assert_eq!(lines[..4], ["detach #alice", "detach chat:a", "cancel 5", "detach chat:b"]);
    assert_eq!(errors(&lines), [(1, 100), (2, 101)]);
    assert!(lines[4].contains(r#""temporary":true"#), "the SDK connects again: {}", lines[4]);
    assert_eq!(it.complete(5, attached(0)), Vec::<String>::new(), "a cancelled attach has no effect");
    assert_eq!(it.send(r#"{"id":3,"ping":{}}"#), ["close 3501 connect was refused: open a new connection"]);
}

// NL-7.9
#[test]
fn a_revoked_token_counts_as_expired() {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{"token":"t"}}"#);
    let issued = Identity { issued: Some(1_700_000_000), ..identity_of(user("alice")) };
    let asked = it.complete(1, Outcome::Authenticated(Box::new(issued)));
    assert_eq!(asked, [r#"register "alice""#, r#"start 2: read subscriptions of "alice" since 1700000000"#]);
    assert_eq!(it.complete(2, failed(ErrorCode::TokenExpired)), [error(1, ErrorCode::TokenExpired)]);
}

#[test]
fn a_refused_client_is_disconnected_after_the_connect_timeout() {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    assert_eq!(it.complete(1, failed(ErrorCode::Unauthorized)), [error(1, ErrorCode::Unauthorized)]);
    assert_eq!(it.session.deadline(), Some(Tick(11_000)));
    assert_eq!(it.advance(10), ["close 3502 stale"]);
}

#[test]
fn a_connect_with_a_bad_token_closes_or_is_refused() {
    let outcomes = [
        (failed(ErrorCode::TokenExpired), error(1, ErrorCode::TokenExpired)),
        (failed(ErrorCode::Unauthorized), error(1, ErrorCode::Unauthorized)),
        (Outcome::InvalidToken(Refusal::new(ErrorCode::Unauthorized, "no signature")), "close 3500 no signature".to_owned()),
        (alice(Some(0), &[]), error(1, ErrorCode::TokenExpired)),
        (Outcome::Published, error(1, ErrorCode::Internal)),
    ];
    for (outcome, answer) in outcomes {
        let mut it = TestSession::new();
        it.send(r#"{"id":1,"connect":{"token":"t"}}"#);
        assert_eq!(it.complete(1, outcome), [answer]);
    }
}

#[test]
fn a_token_with_an_unknown_namespace_is_refused_for_good() {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    it.complete(1, alice(None, &["nowhere:a"]));
    let lines = it.complete(2, stored(&[]));
    assert_eq!(errors(&lines), [(1, 102)]);
    assert!(lines[0].contains("nowhere:a") && !lines[0].contains("temporary"), "{}", lines[0]);
}

#[test]
fn a_token_with_too_many_channels_closes_for_good() {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    it.complete(1, alice(None, &["open:a", "open:b", "open:c", "open:d"]));
    assert_eq!(
        it.complete(2, stored(&[])),
        ["close 3505 the token leads to 5 channels, including the personal one; a connection may have 4"]
    );
}

#[test]
fn too_many_subscriptions_of_services_refuse_the_connect_for_now() {
    let connect = |channels: &[(&str, Option<u64>)]| {
        let mut it = TestSession::new();
        it.send(r#"{"id":1,"connect":{}}"#);
        it.complete(1, alice(None, &["open:a", "open:b", "open:c"]));
        it.complete(2, stored(channels))
    };
    let four = [("open:d", None), ("open:e", None), ("open:f", None), ("open:g", None)];
    assert_eq!(connect(&four).len(), 8, "all are attached");
    let five_with_one_of_the_token = connect(&[four.as_slice(), &[("open:a", None)]].concat());
    assert_eq!(five_with_one_of_the_token.len(), 8, "a channel that the token names does not count as a subscription of a service");
    let refused = connect(&[four.as_slice(), &[("open:h", None)]].concat());
    let detail = "services have subscribed this user to 5 channels; a connection may have 4";
    assert_eq!(refused, [super::refused(1, &Refusal::new(ErrorCode::ServiceUnavailable, detail))]);
    assert!(refused[0].contains(r#""temporary":true"#), "the client connects again: {}", refused[0]);
}

#[test]
fn connect_has_to_be_the_first_command_sent_once_and_in_time() {
    for first in [r#"{"id":1,"ping":{}}"#, "{}", r#"{"send":{"data":{}}}"#] {
        assert_eq!(TestSession::new().send(first), ["close 3501 the first command has to be connect"]);
    }
    let twice = "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"connect\":{}}";
    assert_eq!(TestSession::new().send(twice)[1..], ["close 3501 connect was sent twice"]);
    assert_eq!(TestSession::anonymous().send(r#"{"id":2,"connect":{}}"#), ["close 3501 connect was sent twice"]);
    let mut late = TestSession::new();
    assert_eq!(late.session.deadline(), Some(Tick(11_000)));
    assert_eq!(late.advance(9), Vec::<String>::new());
    assert_eq!(late.advance(1), ["close 3502 stale"]);
    assert_eq!(late.session.deadline(), None);
}

// NL-5.7
#[test]
fn a_slow_connect_is_refused_at_the_attach_timeout() {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    it.complete(1, alice(None, &[]));
    it.complete(2, stored(&[]));
    assert_eq!(it.session.deadline(), Some(Tick(5000)));
    let lines = it.advance(4);
    assert_eq!(lines[..2], ["cancel 3", "detach #alice"]);
    assert_eq!(errors(&lines), [(1, 100)]);

    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    it.complete(1, alice(None, &[]));
    assert_eq!(it.advance(4)[0], "cancel 2");

    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    assert_eq!(it.advance(4)[0], "cancel 1");

    let mut it = TestSession::with(|config| config.attach_timeout = Duration::from_secs(9));
    it.send(r#"{"id":1,"connect":{}}"#);
    assert_eq!(it.advance(8), Vec::<String>::new());
    assert_eq!(it.advance(1)[0], "cancel 1");
}

#[test]
fn commands_in_the_message_of_the_connect_wait_for_its_reply() {
    let mut it = TestSession::new();
    let asked = it.send("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"open:a\"}}\n{}\n{\"id\":3,\"ping\":{}}");
    assert_eq!(asked, [r#"start 1: authenticate """#]);
    assert!(it.session.wants_input());
    let opened = it.complete(1, identity(""));
    assert_eq!(opened[1..], [connect_reply(""), "start 2: attach open:a".into(), r#"{"id":3,"ping":{}}"#.into()]);
}

#[test]
fn commands_before_the_connect_reply_are_limited() {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    for id in 2..9 {
        assert_eq!(it.send(&format!(r#"{{"id":{id},"ping":{{}}}}"#)), Vec::<String>::new());
        assert_eq!(it.session.wants_input(), id < 4, "the connection is read until max_in_flight commands wait");
    }
    assert_eq!(it.send(r#"{"id":9,"ping":{}}"#), [error(9, ErrorCode::TooManyRequests)]);
    assert_eq!(it.send(r#"{"send":{"data":{"service":"s"}}}"#), ["close 3013 too many requests"]);
}

#[test]
fn commands_of_services_wait_for_the_connect_reply() {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    it.complete(1, alice(None, &[]));
    it.complete(2, stored(&[]));
    assert_eq!(it.send_server_command(ServerCommand::Message { data: data("1"), queue: None }), Vec::<String>::new());
    assert_eq!(it.send_server_command(subscribe_for("open:a", None)), Vec::<String>::new());
    let opened = it.complete(3, attached(0));
    assert_eq!(opened[1..], ["go live #alice", r#"{"push":{"message":{"data":1}}}"#, "start 4: attach open:a"]);
}

// NL-5.8
/// A service stores a change, then sends the command. A connection registers, then reads what is stored. So each change reaches the connection: the
/// read returns it, or the command arrives.
#[test]
fn a_subscription_that_a_service_changes_during_the_connect_is_not_missed() {
    let subscribe = || subscribe_for("open:a", None);
    let unsubscribe = || ServerCommand::Unsubscribe { channel: channel("open:a"), code: crate::model::Unsubscribe::Server };
    let stored_channels = [("open:a", None)];
    // The stored subscriptions that were read, the commands before and after the end of the read, and whether the user is subscribed at
    // the end.
    for (read, before, after, subscribed) in [
        (&stored_channels[..], vec![], vec![], true),
        (&stored_channels, vec![subscribe()], vec![], true),
        (&stored_channels, vec![], vec![subscribe()], true),
        (&[], vec![subscribe()], vec![], true),
        (&[], vec![], vec![subscribe()], true),
        (&stored_channels, vec![unsubscribe()], vec![], false),
        (&stored_channels, vec![], vec![unsubscribe()], false),
        (&[], vec![unsubscribe()], vec![], false),
        (&stored_channels, vec![unsubscribe()], vec![subscribe()], true),
        (&[], vec![subscribe(), unsubscribe()], vec![], false),
        (&[], vec![subscribe()], vec![unsubscribe()], false),
        (&stored_channels, vec![subscribe(), unsubscribe(), subscribe()], vec![], true),
    ] {
        let what = format!("read {read:?}, commands {before:?}, then {after:?}");
        let mut it = TestSession::new();
        it.send(r#"{"id":1,"connect":{}}"#);
        assert_eq!(
            it.complete(1, alice(None, &[])),
            [r#"register "alice""#, r#"start 2: read subscriptions of "alice""#],
            "register comes before the read"
        );
        for command in before {
            assert!(it.send_server_command(command).is_empty());
        }
        let mut begun = it.complete(2, stored(read));
        for command in after {
            assert!(it.send_server_command(command).is_empty());
        }
        while let Some(op) = begun.iter().position(|line| line.contains(": attach ")).map(|at| begun.remove(at)) {
            let op = op.trim_start_matches("start ").split(':').next().and_then(|op| op.parse().ok()).expect("a number");
            begun.extend(it.complete(op, attached(0)));
        }
        let lines = it.send(r#"{"id":9,"subscribe":{"channel":"open:a"}}"#);
        assert_eq!(errors(&lines) == [(9, 105)], subscribed, "{what}: {lines:?}");
    }
}

#[test]
fn the_expiry_of_a_queued_subscribe_counts_from_its_arrival() {
    let mut it = TestSession::with(|config| config.ping_interval = Duration::from_secs(1000));
    it.send(r#"{"id":1,"connect":{}}"#);
    it.complete(1, alice(None, &[]));
    it.send_server_command(subscribe_for("open:a", Some(5)));
    it.advance(3);
    it.complete(2, stored(&[]));
    it.complete(3, attached(0));
    it.complete(4, attached(0));
    assert_eq!(it.session.deadline(), Some(Tick(6000)), "five seconds after the command arrived");
    assert_eq!(it.advance(2)[0], "detach open:a");
}

#[test]
fn a_failed_read_of_subscriptions_refuses_the_connect() {
    for outcome in [failed(ErrorCode::Internal), Outcome::Sent] {
        let mut it = TestSession::new();
        it.send(r#"{"id":1,"connect":{}}"#);
        it.complete(1, alice(None, &[]));
        assert_eq!(errors(&it.complete(2, outcome)), [(1, 100)]);
        assert_eq!(it.send_server_command(subscribe_for("open:a", None)), Vec::<String>::new());
    }
}

#[test]
fn lost_publications_or_too_many_server_commands_refuse_the_connect() {
    let connecting = || {
        let mut it = TestSession::new();
        it.send(r#"{"id":1,"connect":{}}"#);
        it.complete(1, alice(None, &["chat:a"]));
        it.complete(2, stored(&[]));
        it.complete(3, attached(0));
        it
    };
    assert_eq!(connecting().input(Input::PublicationsLost(channel("chat:a"))), Vec::<String>::new(), "the attach in flight finds the loss");
    assert_eq!(errors(&connecting().input(Input::PublicationsLost(channel("#alice")))), [(1, 100)]);
    let mut it = connecting();
    for _ in 0..3 {
        assert_eq!(it.send_server_command(ServerCommand::Message { data: data("1"), queue: None }), Vec::<String>::new());
    }
    assert_eq!(errors(&it.send_server_command(ServerCommand::Message { data: data("1"), queue: None })), [(1, 100)]);
    assert_eq!(connecting().send_server_command(ServerCommand::Disconnect { code: 3503, reason: "go".into() }), ["close 3503 go"]);
}
