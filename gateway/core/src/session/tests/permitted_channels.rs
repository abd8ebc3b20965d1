//! Sessions whose protocol has no server-side subscriptions: the channels of tokens and services are open to the frontend.

use super::*;
use crate::model::Unsubscribe;

/// Connects the user alice, whose token names `vip:7` and who may subscribe to these channels of services.
fn alice(by_services: &[(&str, Option<u64>)]) -> TestSession {
    let mut it = TestSession::begin(config(), SessionStart { server_side: ServerSide::Permits, ..start(Tick(1000), 0.5) });
    it.send(r#"{"id":1,"connect":{}}"#);
    let Outcome::Authenticated(identity) = identity("alice") else { panic!("an identity") };
    it.complete(1, Outcome::Authenticated(Box::new(Identity { channels: vec![channel("vip:7")], ..*identity })));
    let lines = it.complete(2, stored(by_services));
    assert!(
        matches!(&lines[..], [reply] if reply.starts_with(r#"{"id":1,"connect":{"#) && !reply.contains("subs")),
        "no attach: {lines:?}"
    );
    it
}

fn subscribe(it: &mut TestSession, name: &str) -> Vec<String> {
    it.send(&format!(r#"{{"id":5,"subscribe":{{"channel":"{name}"}}}}"#))
}

#[test]
fn the_channels_of_the_token_and_of_services_are_open() {
    let mut it = alice(&[("vip:8", None)]);
    for (name, attach) in [("vip:7", 3), ("vip:8", 4), ("#alice", 5)] {
        assert_eq!(subscribe(&mut it, name), [format!("start {attach}: attach {name}")]);
        assert_eq!(it.complete(attach, attached(0)).last(), Some(&format!("go live {name}")));
    }
    assert_eq!(subscribe(&mut it, "vip:9"), [error(5, ErrorCode::PermissionDenied)]);
    assert_eq!(it.send(r#"{"id":6,"publish":{"channel":"vip:7","data":1}}"#), ["start 6: publish vip:7 1"], "as with a token of its own");
}

#[test]
fn a_service_opens_and_closes_channels() {
    let mut it = alice(&[]);
    assert_eq!(subscribe(&mut it, "vip:8"), [error(5, ErrorCode::PermissionDenied)]);
    assert_eq!(it.send_server_command(subscribe_for("vip:8", None)), Vec::<String>::new(), "the frontend decides");
    assert_eq!(subscribe(&mut it, "vip:8"), ["start 3: attach vip:8"]);
    it.complete(3, attached(0));
    let ended = it.send_server_command(ServerCommand::Unsubscribe { channel: channel("vip:8"), code: Unsubscribe::Server });
    assert_eq!(ended[0], "detach vip:8");
    assert_eq!(subscribe(&mut it, "vip:8"), [error(5, ErrorCode::PermissionDenied)]);
}

#[test]
fn a_permission_ends_with_its_subscription_and_can_be_extended() {
    let mut it = alice(&[("vip:8", Some(5))]);
    subscribe(&mut it, "vip:8");
    it.complete(3, attached(0));
    assert_eq!(it.send_server_command(subscribe_for("vip:8", Some(8))), Vec::<String>::new());
    assert!(it.advance(6).iter().all(|line| !line.starts_with("detach")), "extended");
    assert!(it.advance(3).contains(&"detach vip:8".to_owned()));
    assert_eq!(subscribe(&mut it, "vip:8"), [error(5, ErrorCode::PermissionDenied)]);
}

#[test]
fn services_may_open_as_many_channels_as_a_connection_may_have() {
    let mut it = alice(&[("vip:1", None), ("vip:2", None), ("vip:3", None), ("vip:4", Some(60))]);
    assert_eq!(it.send_server_command(subscribe_for("vip:4", Some(60))), Vec::<String>::new(), "it is open already");
    it.advance(1);
    let closed = it.send_server_command(subscribe_for("vip:5", None));
    assert!(matches!(&closed[..], [close] if close.starts_with("close 3010")), "{closed:?}");
    let mut it = alice(&[("vip:1", None), ("vip:2", None), ("vip:3", None), ("vip:4", Some(20))]);
    it.advance(21);
    assert_eq!(it.send_server_command(subscribe_for("vip:5", None)), Vec::<String>::new(), "vip:4 has ended");
}

#[test]
fn what_the_token_opens_stays_open_whatever_a_service_says() {
    let mut it = alice(&[]);
    subscribe(&mut it, "vip:7");
    it.complete(3, attached(0));
    assert_eq!(it.send_server_command(subscribe_for("vip:7", Some(5))), Vec::<String>::new());
    assert!(it.advance(6).iter().all(|line| !line.starts_with("detach")));
}
