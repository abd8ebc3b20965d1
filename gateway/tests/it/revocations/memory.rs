//! One gateway, with all its data in memory.

use super::{
    bed::{Gateway, ISSUER, now, revocations, sign, token},
    frontend::{Frontend, Protocol},
};
use serde_json::{Value, json};
use std::time::Duration;

/// What a protocol has for the error 109.
fn expired(protocol: Protocol) -> &'static str {
    if protocol == Protocol::EventSource { "token_expired" } else { "109" }
}

#[test]
fn each_kind_of_revocation_ends_connections_of_every_protocol_and_refuses_their_tokens() {
    let gateway = Gateway::memory("");
    let other = token("bystander", "s", "j");
    let mut bystanders = Vec::new();
    for (protocol, number) in Protocol::ALL.into_iter().zip(0..) {
        bystanders.push((protocol, Frontend::connect(protocol, gateway.public, &other).expect("accepted")));
        for kind in 0..3 {
            let (user, sid, jti) = (format!("u{number}-{kind}"), format!("s{number}-{kind}"), format!("j{number}-{kind}"));
            let own = token(&user, &sid, &jti);
            let connect = |token: &str| Frontend::connect(protocol, gateway.public, token);
            let mut frontend = connect(&own).expect("accepted");
            let mut body = revocations(&user, &sid, &jti)[kind].clone();
            body["reason"] = "enough".into();
            assert_eq!(gateway.revoke(&body), 1, "{protocol:?} {body}");
            assert_eq!(frontend.end(), (3503, "enough".into()), "{protocol:?} {body}");
            assert_eq!(connect(&own).err().as_deref(), Some(expired(protocol)), "{protocol:?} {body}");
        }
    }
    assert_eq!(gateway.revoke(&json!({"user": "bystander", "reason": "at last"})), 6);
    for (protocol, mut bystander) in bystanders {
        assert_eq!(bystander.end(), (3503, "at last".into()), "{protocol:?}: it lived until now");
    }
    assert_eq!(gateway.metric("switchboard_revocations_total{by=\"sid\"}"), 6);
}

#[test]
fn an_expired_token_at_connect_is_109_on_every_protocol() {
    let gateway = Gateway::memory("");
    let expired_token = sign(&json!({"sub": "alice", "iat": now() - 700, "exp": now() - 60}));
    for protocol in Protocol::ALL {
        let found = Frontend::connect(protocol, gateway.public, &expired_token).err();
        assert_eq!(found.as_deref(), Some(expired(protocol)), "{protocol:?}");
    }
}

#[test]
fn whoever_has_refreshed_stays_when_the_token_before_is_revoked() {
    let gateway = Gateway::memory("");
    let mut frontend = Frontend::connect(Protocol::Json, gateway.public, &token("alice", "s1", "j1")).expect("accepted");
    let reply = frontend.refresh(&token("alice", "s1", "j2"));
    assert!(reply["refresh"]["ttl"].as_u64().is_some_and(|ttl| ttl > 500), "{reply}");
    assert_eq!(gateway.revoke(&json!({"jti": "j1", "issuer": ISSUER})), 0);
    assert!(!frontend.has_news(Duration::from_millis(50)));
    assert_eq!(gateway.revoke(&json!({"sid": "s1", "issuer": ISSUER, "code": 3005, "reason": "again"})), 1);
    assert_eq!(frontend.end(), (3005, "again".into()));
    let refused = Frontend::connect(Protocol::Json, gateway.public, &token("alice", "s1", "j3"));
    assert_eq!(refused.err().as_deref(), Some("109"), "every token of the session, also one that nobody has shown yet");
}

#[test]
fn tokens_that_may_outlive_a_revocation_are_refused_unless_the_setting_allows_them() {
    let (bounded, any) = (Gateway::memory("revocation_ttl = \"1h\""), Gateway::memory("revocation_ttl = \"1h\"\nunbounded = true"));
    for claims in [
        json!({"sub": "alice"}),
        json!({"sub": "alice", "exp": now() + 7200}),
        json!({"sub": "alice", "iat": now() - 7200, "exp": now() + 60}),
    ] {
        let token = sign(&claims);
        assert!(Frontend::connect(Protocol::Json, any.public, &token).is_ok(), "{claims}");
        for protocol in [Protocol::EventSource, Protocol::Stomp] {
            assert!(Frontend::connect(protocol, bounded.public, &token).is_err(), "{claims}");
        }
        let (head, body) =
            crate::public::ask(bounded.public, "GET", "/events?channel=open:a", &format!("Authorization: Bearer {token}\r\n"), "");
        let problem: Value = serde_json::from_str(&body).expect("JSON");
        let detail = problem["detail"].as_str().expect("a text");
        assert!(head.starts_with("http/1.1 401 ") && detail.contains("exp") && detail.contains("tokens.unbounded"), "{claims}: {detail}");
    }
    assert!(Frontend::connect(Protocol::Json, bounded.public, &sign(&json!({"sub": "alice", "exp": now() + 3600}))).is_ok());
}
