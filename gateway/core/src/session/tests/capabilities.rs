//! Connections whose token has capabilities.

use super::*;
use crate::channel::Capabilities;

const ALL: &str = r#"{"*":["subscribe","publish","presence","history"]}"#;

fn capabilities(claim: &str) -> Capabilities {
    Capabilities::parse(serde_json::from_str(claim).expect("JSON")).expect("valid")
}

/// Connects the user alice with a token that has this claim.
fn alice(claim: &str) -> TestSession {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    let Outcome::Authenticated(identity) = identity("alice") else { panic!("an identity") };
    it.complete(1, Outcome::Authenticated(Box::new(Identity { capabilities: Some(Box::new(capabilities(claim))), ..*identity })));
    it.complete(2, stored(&[]));
    it.complete(3, attached(0));
    it
}

fn subscribe(it: &mut TestSession, name: &str) -> Vec<String> {
    it.send(&format!(r#"{{"id":5,"subscribe":{{"channel":"{name}"}}}}"#))
}

fn subscribed(it: &mut TestSession, name: &str, op: u32) {
    assert_eq!(subscribe(it, name), [format!("start {op}: attach {name}")]);
    assert_eq!(it.complete(op, attached(0)).last(), Some(&format!("go live {name}")));
}

/// Sends a new token with this claim. The lines after the reply.
fn refreshed(it: &mut TestSession, op: u32, claim: Option<&str>) -> Vec<String> {
    it.send(r#"{"id":6,"refresh":{"token":"u"}}"#);
    let capabilities = claim.map(|claim| Box::new(capabilities(claim)));
    let mut lines =
        it.complete(op, Outcome::Refreshed { user: user("alice"), issued: None, claims: None, meta: None, expires_in: None, capabilities });
    assert!(lines.remove(0).starts_with(r#"{"id":6,"refresh":"#), "{lines:?}");
    lines
}

/// The refusal of something that the capabilities do not name.
fn denied(what: &str) -> [String; 1] {
    let detail = format!("the capabilities of the connection token do not allow to {what} here");
    [refused(5, &Refusal::new(ErrorCode::PermissionDenied, detail))]
}

fn ended(name: &str) -> [String; 2] {
    let push = format!(r#"{{"push":{{"channel":"{name}","unsubscribe":{{"code":2001,"reason":"not allowed"}}}}}}"#);
    [format!("detach {name}"), push]
}

#[test]
fn nothing_but_what_they_name_is_allowed() {
    let mut it = alice(r#"{"chat:a":["subscribe"]}"#);
    for (command, what) in [
        (r#"{"id":5,"subscribe":{"channel":"chat:b"}}"#, "subscribe"),
        (r#"{"id":5,"subscribe":{"channel":"chat:b","token":"t"}}"#, "subscribe"),
        (r#"{"id":5,"subscribe":{"channel":"open:a","recover":true,"epoch":"e","offset":1}}"#, "subscribe"),
        (r#"{"id":5,"publish":{"channel":"open:a","data":1}}"#, "publish"),
        (r#"{"id":5,"history":{"channel":"chat:b"}}"#, "read the history"),
        (r##"{"id":5,"history":{"channel":"#alice"}}"##, "read the history"),
    ] {
        assert_eq!(it.send(command), denied(what), "{command}");
    }
    subscribed(&mut it, "chat:a", 4);
    for (command, what) in [
        (r#"{"id":5,"publish":{"channel":"chat:a","data":1}}"#, "publish"),
        (r#"{"id":5,"presence":{"channel":"chat:a"}}"#, "see presence"),
        (r#"{"id":5,"presence_stats":{"channel":"chat:a"}}"#, "see presence"),
        (r#"{"id":5,"history":{"channel":"chat:a"}}"#, "read the history"),
    ] {
        assert_eq!(it.send(command), denied(what), "{command}");
    }
    assert_eq!(it.send(r#"{"id":5,"rpc":{"method":"m"}}"#), ["start 5: call m null"], "calls are no channels");
}

#[test]
fn they_are_a_subscription_token_where_the_namespace_asks_for_one() {
    let mut it = alice(r#"{"vip:*":["subscribe","publish","presence"]}"#);
    assert_eq!(it.send(r#"{"id":5,"publish":{"channel":"vip:8","data":1}}"#), ["start 4: publish vip:8 1"]);
    it.complete(4, Outcome::Published);
    subscribed(&mut it, "vip:7", 5);
    assert_eq!(it.send(r#"{"id":5,"presence":{"channel":"vip:7"}}"#), ["start 6: presence vip:7"]);
    assert_eq!(it.send(r#"{"id":5,"presence":{"channel":"vip:8"}}"#), [error(5, ErrorCode::PermissionDenied)], "for subscribers");
    let checked = it.send(r#"{"id":5,"subscribe":{"channel":"vip:9","token":"t"}}"#);
    assert_eq!(checked, [r#"start 7: authorize vip:9 "t""#], "a token that is sent has to be valid");
}

#[test]
fn the_namespace_and_its_guard_still_decide() {
    let mut it = alice(ALL);
    for command in [r#"{"id":5,"subscribe":{"channel":"closed:a"}}"#, r#"{"id":5,"publish":{"channel":"closed:a","data":1}}"#] {
        assert_eq!(it.send(command), [error(5, ErrorCode::PermissionDenied)], "{command}");
    }
    assert_eq!(subscribe(&mut it, "#bob"), [error(5, ErrorCode::PermissionDenied)]);
    assert_eq!(subscribe(&mut it, "guarded:a"), [r#"start 4: ask about "guarded:a" within 4s"#]);
}

#[test]
fn without_the_claim_only_the_namespace_counts() {
    let mut it = TestSession::alice();
    subscribed(&mut it, "chat:a", 4);
    assert_eq!(subscribe(&mut it, "vip:7"), [error(5, ErrorCode::PermissionDenied)]);
}

#[test]
fn a_refresh_ends_the_subscriptions_that_the_new_token_does_not_allow() {
    let mut it = alice(ALL);
    subscribed(&mut it, "chat:a", 4);
    subscribed(&mut it, "vip:7", 5);
    assert_eq!(subscribe(&mut it, "open:a"), ["start 6: attach open:a"]);
    let lines = refreshed(&mut it, 7, Some(r#"{"chat:*":["subscribe"]}"#));
    let aborted = "the new token of the connection does not allow this subscription";
    let aborted = ["cancel 6".into(), "detach open:a".into(), refused(5, &Refusal::new(ErrorCode::PermissionDenied, aborted))];
    assert_eq!(lines, [&aborted[..], &ended("vip:7")].concat(), "the personal channel and chat:a stay");
    assert_eq!(subscribe(&mut it, "vip:7"), denied("subscribe"));
    assert_eq!(refreshed(&mut it, 8, Some("{}")), ended("chat:a"));
    assert_eq!(refreshed(&mut it, 9, Some(ALL)), Vec::<String>::new());
    subscribed(&mut it, "vip:7", 10);
}

#[test]
fn a_refresh_without_the_claim_ends_what_only_the_claim_allowed() {
    let mut it = alice(ALL);
    subscribed(&mut it, "chat:a", 4);
    subscribed(&mut it, "vip:7", 5);
    assert_eq!(refreshed(&mut it, 6, None), ended("vip:7"));
    subscribed(&mut it, "open:b", 7);
}

#[test]
fn a_refresh_of_a_token_without_the_claim_may_bring_it() {
    let mut it = TestSession::alice().subscribed("chat:a", 4).subscribed_by_token("vip:7", 5, 600);
    assert_eq!(refreshed(&mut it, 7, Some(r#"{"vip:*":["subscribe"]}"#)), ended("chat:a"));
    assert_eq!(refreshed(&mut it, 8, Some(r#"{"chat:*":["subscribe"]}"#)), ended("vip:7"));
}

#[test]
fn what_a_service_gave_is_no_matter_of_the_token() {
    let mut it = alice(ALL);
    it.send_server_command(subscribe_for("vip:8", None));
    it.complete(4, attached(0));
    assert_eq!(refreshed(&mut it, 5, Some("{}")), Vec::<String>::new());
}

#[test]
fn a_refresh_ends_channels_of_the_old_token_and_not_those_of_the_service_that_let_the_connection_in() {
    let mut it = TestSession::new();
    it.send(r#"{"id":1,"connect":{}}"#);
    let Outcome::Authenticated(named) = named_by_service("alice", None) else { panic!("an identity") };
    let permit = named.permit.map(|permit| ConnectPermit { channels: vec![channel("vip:1"), channel("vip:3")], ..permit });
    let channels = vec![channel("vip:1"), channel("vip:2")];
    it.complete(
        1,
        Outcome::Authenticated(Box::new(Identity { channels, capabilities: Some(Box::new(capabilities(ALL))), permit, ..*named })),
    );
    it.complete(2, stored(&[]));
    for op in 3..=6 {
        it.complete(op, attached(0));
    }
    assert_eq!(refreshed(&mut it, 7, Some(ALL)), Vec::<String>::new());
    assert_eq!(refreshed(&mut it, 8, Some("{}")), ended("vip:2"));
}

#[test]
fn an_invalid_refresh_changes_nothing() {
    let mut it = alice(ALL);
    subscribed(&mut it, "vip:7", 4);
    it.send(r#"{"id":6,"refresh":{"token":"u"}}"#);
    assert_eq!(it.complete(5, failed(ErrorCode::ServiceUnavailable)), [error(6, ErrorCode::ServiceUnavailable)]);
    subscribed(&mut it, "vip:8", 6);
}
