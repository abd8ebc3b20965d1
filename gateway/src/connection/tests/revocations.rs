//! Revocations of sessions and tokens, and the check for revocation while the store does not answer.

use super::operations::{Requester, RunningTask, TaskResult};
use super::*;
use crate::{auth::sign_json, testing::redis_outage::silent_broker};
use gateway_core::{
    model::{ClaimDigest, ConnectionId, RevocableClaim},
    session::{Op, OpId, Outcome},
};
use tokio::time::{Instant, timeout};

/// The half second is short against the five seconds that a client waits for a reply.
#[test]
fn a_token_is_accepted_after_half_a_second_without_an_answer() {
    run(default_bounds(), |world| async move {
        let node = Node { broker: Arc::new(silent_broker()), ..node(&world.mailbox, &default_bounds()) };
        let worker = Rc::new(WorkerContext::new(world.worker.hub.clone(), Arc::new(node), limits()));
        let connection = ConnectionId::random();
        let registration = worker.hub.register(connection, crate::hub::Protocol::Centrifuge(Encoding::JsonMessages));
        let claims = ConnectionClaims::of("alice".parse().expect("valid"));
        let token = worker.node.tokens.sign_connection(&claims, 0).expect("a key");
        let (key, request) = (registration.key(), KeptRequest::default());
        let requester = Requester { worker: worker.clone(), key, connection, info: None, traceparent: None, request, meta: None };
        let began = Instant::now();
        let task = RunningTask::operation(OpId(1), Op::Refresh { token: token.into() }, requester);
        let result = timeout(Duration::from_secs(5), task.future).await.expect("before the client gives up");
        assert!(matches!(result, TaskResult::Operation(Outcome::Refreshed { user, .. }) if user.as_str() == "alice"));
        assert_eq!(began.elapsed().as_millis() / 10, 50);
    });
}

const ISSUER: &str = "https://login";

/// A token of alice with this session and id.
fn token(sid: &str, jti: &str) -> String {
    sign_json("secret", &json!({"sub": "alice", "iss": ISSUER, "iat": 100, "sid": sid, "jti": jti}))
}

fn connect(token: &str) -> String {
    json!({"id": 1, "connect": {"token": token}}).to_string()
}

fn refresh(token: &str) -> String {
    json!({"id": 2, "refresh": {"token": token}}).to_string()
}

fn sid(value: &str) -> RevocationTarget {
    RevocationTarget::Claim(RevocableClaim::Session, ClaimDigest::new(ISSUER, RevocableClaim::Session, value))
}

fn jti(value: &str) -> RevocationTarget {
    RevocationTarget::Claim(RevocableClaim::Token, ClaimDigest::new(ISSUER, RevocableClaim::Token, value))
}

fn until(until: u64) -> Revocation {
    Revocation { until, code: 3503, reason: "enough".into() }
}

const CLOSED: [&str; 1] = ["close 3503 enough"];
const OPEN: [&str; 0] = [];

impl World {
    async fn revoke(&self, target: RevocationTarget) -> usize {
        self.worker.node.revoke(target, until(Revocation::ALWAYS)).await.expect("in memory")
    }

    /// Stores a revocation of which nobody tells the worker.
    async fn store(&self, target: RevocationTarget) {
        self.worker.node.store_revocation(&target, until(Revocation::ALWAYS)).await.expect("in memory");
    }
}

#[test]
fn a_session_ends_with_all_its_tokens_and_a_token_ends_alone() {
    run(default_bounds(), |world| async move {
        let first = world.connected(&connect(&token("s1", "j1"))).await;
        let second = world.connected(&connect(&token("s1", "j2"))).await;
        let other = world.connected(&connect(&token("s2", "j3"))).await;
        let foreign = sign_json("secret", &json!({"sub": "alice", "iss": "https://other", "sid": "s1", "jti": "j1"}));
        let (foreign, plain) = (world.connected(&connect(&foreign)).await, world.user("alice").await);
        assert_eq!(world.revoke(jti("j1")).await, 1);
        assert_eq!((first.receive().await, second.receive().await), (CLOSED.map(String::from).to_vec(), vec![]));
        assert_eq!(world.revoke(sid("s1")).await, 2, "the first has not gone yet");
        assert_eq!(second.receive().await, CLOSED);
        for stays in [&other, &foreign, &plain] {
            assert_eq!(stays.receive().await, OPEN);
        }
        assert_eq!(world.revoke(sid("s3")).await, 0);
        first.send_bytes(close_frame(3503));
        second.send_bytes(close_frame(3503));
        settle().await;
        assert_eq!(world.revoke(sid("s1")).await, 0);
        assert_eq!(world.revoke(sid("s2")).await, 1, "its row has moved");
        assert_eq!(other.receive().await, CLOSED);
    });
}

#[test]
fn whoever_has_refreshed_escapes_the_revocation_of_the_token_but_not_of_the_session() {
    run(default_bounds(), |world| async move {
        let [first, second, third] = [
            world.connected(&connect(&token("s1", "j1"))).await,
            world.connected(&connect(&token("s1", "j2"))).await,
            world.connected(&connect(&token("s1", "j3"))).await,
        ];
        for (peer, new) in
            [(&first, token("s1", "j11")), (&second, token("s1", "j12")), (&third, sign_json("secret", &json!({"sub": "alice"})))]
        {
            assert!(peer.request(&refresh(&new)).await[0].starts_with(r#"{"id":2,"refresh":"#));
        }
        for earlier in ["j1", "j2", "j3"] {
            assert_eq!(world.revoke(jti(earlier)).await, 0);
        }
        assert_eq!((world.revoke(jti("j11")).await, first.receive().await), (1, CLOSED.map(String::from).to_vec()));
        assert_eq!((world.revoke(sid("s1")).await, second.receive().await), (2, CLOSED.map(String::from).to_vec()));
        assert_eq!(third.receive().await, OPEN, "its token has neither");
    });
}

#[test]
fn revoked_sessions_and_tokens_are_refused_at_each_use() {
    run(default_bounds(), |world| async move {
        let open = world.connected(&connect(&token("s2", "j3"))).await;
        world.revoke(sid("s1")).await;
        world.revoke(jti("j2")).await;
        for (sid, jti, code) in [("s1", "j1", Some(109)), ("s1", "j9", Some(109)), ("s2", "j2", Some(109)), ("s2", "j3", None)] {
            let reply: Value = serde_json::from_str(&world.open().request(&connect(&token(sid, jti))).await[0]).expect("JSON");
            assert_eq!(reply["error"]["code"].as_u64(), code, "{sid} {jti}");
        }
        let subscribe = |id: u32, jti: &str| {
            let claims = json!({"sub": "alice", "iss": ISSUER, "channel": "open:a", "jti": jti});
            json!({"id": id, "subscribe": {"channel": "open:a", "token": sign_json("secret", &claims)}}).to_string()
        };
        assert!(open.request(&subscribe(3, "j2")).await[0].contains(r#""code":109"#));
        assert_eq!(open.request(&subscribe(4, "j4")).await, [r#"{"id":4,"subscribe":{}}"#]);
        assert_eq!(open.request(&refresh(&token("s2", "j2"))).await, ["close 3005 connection expired"]);
    });
}

#[test]
fn a_time_limits_the_revocation_of_a_session() {
    run(default_bounds(), |world| async move {
        let peer = world.connected(&connect(&token("s1", "j1"))).await;
        assert_eq!(world.worker.node.revoke(sid("s1"), until(99)).await, Ok(1));
        assert_eq!(peer.receive().await, OPEN, "its token was issued at 100");
        world.connected(&connect(&token("s1", "j2"))).await;
        assert_eq!(world.worker.node.revoke(sid("s1"), until(100)).await, Ok(2));
        assert_eq!(peer.receive().await, CLOSED);
        let counts: Vec<_> = world.worker.node.revocations.counts().collect();
        assert_eq!(counts, [("user", 0), ("sub", 0), ("sid", 2), ("jti", 0)]);
    });
}

#[test]
fn an_anonymous_connection_is_revoked_by_its_claims() {
    run(default_bounds(), |world| async move {
        let token = sign_json("secret", &json!({"iss": ISSUER, "jti": "j1"}));
        let peer = world.connected(&connect(&token)).await;
        assert_eq!((world.revoke(jti("j1")).await, peer.receive().await), (1, CLOSED.map(String::from).to_vec()));
        assert!(world.open().request(&connect(&token)).await[0].contains(r#""code":109"#));
    });
}

// NL-7.10
#[test]
fn a_check_finds_sessions_and_tokens_whose_revocation_was_missed() {
    run(default_bounds(), |world| async move {
        let [first, second, third] = [
            world.connected(&connect(&token("s1", "j1"))).await,
            world.connected(&connect(&token("s2", "j2"))).await,
            world.connected(&connect(&token("s3", "j3"))).await,
        ];
        world.store(sid("s1")).await;
        world.store(jti("j2")).await;
        for peer in [&first, &second, &third] {
            assert_eq!(peer.receive().await, OPEN);
        }
        assert!(world.mailbox.post(MailboxEntry::CheckRevocations));
        assert_eq!((first.receive().await, second.receive().await), (CLOSED.map(String::from).to_vec(), CLOSED.map(String::from).to_vec()));
        assert_eq!(third.receive().await, OPEN);
    });
}
