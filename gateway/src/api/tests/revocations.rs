use super::*;
use gateway_core::model::{RevocableClaim, Revocation, RevocationTarget};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

const PATH: &str = "/v1/revocations";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[actix_web::test]
async fn a_revocation_is_stored_sent_to_connections_and_described() {
    let fixture = Fixture::new();
    let of = |claim, issuer, value| RevocationTarget::Claim(claim, ClaimDigest::new(issuer, claim, value));
    let alice = RevocationTarget::User("alice".parse().expect("valid"));
    let (session, token) = (of(RevocableClaim::Session, "https://login", "of-alice"), of(RevocableClaim::Token, "", "7"));
    for (body, target, before, connections) in [
        (json!({"user": "alice"}), &alice, None, 1),
        (json!({"user": "alice", "before": 1000}), &alice, Some(1000), 1),
        (json!({"sid": "of-alice", "issuer": "https://login"}), &session, None, 1),
        (json!({"jti": "7", "before": 5, "code": 3005, "reason": "again"}), &token, Some(5), 0),
    ] {
        let fixture = Fixture::new();
        let began = now();
        let first = fixture.ask("POST", PATH, &body.to_string()).await;
        assert_eq!(first.status, StatusCode::OK, "{body}");
        let answer = first.json();
        assert_eq!((&answer["id"], &answer["connections"]), (&target.to_string().into(), &connections.into()), "{body}");
        let stored = fixture.node.broker.revoked(target).await.expect("read").expect("stored");
        let lasts = answer["expires_at"].as_u64().expect("a time") - began;
        assert!((86_400..86_420).contains(&lasts), "{answer}");
        match (before, target) {
            (Some(before), _) => assert_eq!((answer["before"].as_u64(), stored.until), (Some(before), before)),
            (None, RevocationTarget::User(_)) => {
                assert!((began..began + 10).contains(&stored.until));
                assert_eq!(answer["before"].as_u64(), Some(stored.until));
            }
            (None, RevocationTarget::Claim(..)) => assert_eq!((&answer["before"], stored.until), (&Value::Null, Revocation::ALWAYS)),
        }
        let expected = body["code"].as_u64().map_or((3503, "force disconnect"), |code| (code as u16, "again"));
        assert_eq!((stored.code, &*stored.reason), expected);
        let sent = fixture.commands.borrow().len();
        assert_eq!(sent, connections);
        assert!(fixture.commands.borrow().iter().all(|command| matches!(command, ServerCommand::Revoke(sent) if **sent == stored)));
        assert_eq!(fixture.ask("POST", PATH, &body.to_string()).await.status, StatusCode::OK, "a repeat");
        assert_eq!(fixture.node.revocations.counts().map(|(_, number)| number).sum::<u64>(), 2);
    }
    assert!(fixture.node.broker.revoked(&alice).await.expect("read").is_none());
}

#[actix_web::test]
async fn bad_revocations_are_refused_and_change_nothing() {
    let fixture = Fixture::new();
    let long = "x".repeat(20_000);
    for (body, says) in [
        (json!({}), "exactly one"),
        (json!({"issuer": "https://login"}), "exactly one"),
        (json!({"user": "alice", "sid": "s"}), "exactly one"),
        (json!({"sid": "s", "jti": "j"}), "exactly one"),
        (json!({"user": "alice", "issuer": "https://login"}), "all issuers"),
        (json!({"user": ""}), "`user` is empty"),
        (json!({"user": "a\n"}), "`user` "),
        (json!({"sid": ""}), "`sid` must have 1 to"),
        (json!({"jti": ""}), "`jti` must have 1 to"),
        (json!({"sid": 7}), "sid: "),
        (json!({"user": "alice", "before": now() + 3600}), "in the future"),
        (json!({"user": "alice", "before": -1}), "before: "),
        (json!({"user": "alice", "code": 2999}), "`code` must be"),
        (json!({"user": "alice", "reason": "x".repeat(124)}), "`reason` is longer"),
        (json!({"user": "alice", "until": 1}), "unknown field"),
    ] {
        let answer = fixture.ask("POST", PATH, &body.to_string()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains(says), "{body}: {detail}");
    }
    assert_eq!(fixture.ask("POST", PATH, &json!({"jti": long}).to_string()).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(fixture.node.revocations.counts().map(|(_, number)| number).sum::<u64>(), 0);
    assert!(fixture.commands.borrow().is_empty());
}

#[actix_web::test]
async fn a_disconnect_for_good_stores_the_same_revocation() {
    let fixture = Fixture::new();
    assert_eq!(fixture.ask("DELETE", "/v1/users/alice/connections?code=3500&reason=enough", "").await.status, StatusCode::OK);
    let stored =
        fixture.node.broker.revoked(&RevocationTarget::User("alice".parse().expect("valid"))).await.expect("read").expect("stored");
    assert_eq!((stored.code, &*stored.reason), (3500, "enough"));
    assert!(matches!(fixture.commands.borrow()[..], [ServerCommand::Disconnect { code: 3500, .. }]), "also those with newer tokens");
    assert_eq!(fixture.node.revocations.counts().next(), Some(("user", 1)));
}
