//! Services that decide: who connects, who subscribes, who publishes. The service is an instance with a link.

use super::*;
use crate::services::{ConnectGuard, QuestionKind, QuestionResult, Route, TokenCheck};
use gateway_core::model::Revocation;
use tokio::time::Instant;

const SUBSCRIBE: &str = r#"{"id":2,"subscribe":{"channel":"guarded:a"}}"#;
const LENIENT: &str = r#"{"id":2,"subscribe":{"channel":"lenient:a"}}"#;
const PUBLISH: &str = r#"{"id":3,"publish":{"channel":"guarded:a","data":"said"}}"#;

fn bounds_with(change: impl FnOnce(&mut GuardConfig)) -> Bounds {
    let mut bounds = Bounds { in_flight: 8, ..default_bounds() };
    change(&mut bounds.guards);
    bounds
}

/// The service `bot` decides about connections.
fn bot_decides(tokens: TokenCheck) -> Bounds {
    bounds_with(|guards| guards.connect = Some(ConnectGuard { service: "bot".parse().expect("valid"), tokens }))
}

impl Bot {
    /// The next question. Returns its id, and the members that do not differ between runs.
    async fn question(&mut self) -> (u64, Value) {
        let mut frame = self.receive().await;
        let call = frame["call"].as_object_mut().unwrap_or_else(|| panic!("no call"));
        let id = call.remove("id").and_then(|id| id.as_u64()).expect("an id");
        assert!(call.remove("connection").is_some_and(|connection| connection.as_str().is_some_and(|id| id.len() == 32)));
        call.remove("traceparent");
        (id, Value::Object(call.clone()))
    }

    fn answer(&self, id: u64, answer: &Value) {
        self.send(&json!({"reply": {"id": id, "data": answer}}));
        self.send(&json!({"credit": {"n": 1}}));
    }

    /// Answers the next question, and returns its data.
    async fn decide(&mut self, answer: Value) -> Value {
        let (id, question) = self.question().await;
        self.answer(id, &answer);
        settle().await;
        question["data"].clone()
    }

    async fn is_idle(&mut self) -> bool {
        settle().await;
        self.from.try_recv().is_err()
    }
}

impl World {
    fn questions(&self, kind: QuestionKind, result: QuestionResult) -> u64 {
        self.worker.node.services.guard_counters().questions(kind, result)
    }

    fn token(&self, user: &str) -> String {
        self.worker.node.tokens.sign_connection(&ConnectionClaims::of(user.parse().expect("valid")), 0).expect("a key")
    }
}

fn error(received: &[String]) -> (u64, bool) {
    let reply: Value = received.first().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    let error = &reply["error"];
    (error["code"].as_u64().unwrap_or_else(|| panic!("no error: {received:?}")), error["temporary"].as_bool().unwrap_or_default())
}

#[test]
fn a_guard_decides_about_a_subscribe() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.user("alice").await;
        alice.send(r#"{"id":2,"subscribe":{"channel":"guarded:a","data":{"why":1}}}"#);
        let (id, question) = bot.question().await;
        let data = json!({"channel": "guarded:a", "data": {"why": 1}});
        assert_eq!(question, json!({"method": "guard.subscribe", "data": data, "user": "alice", "deadline_ms": 2000}));
        bot.answer(id, &json!({"info": {"role": "host"}, "data": [1]}));
        let received = alice.receive().await;
        assert!(received[0].starts_with(r#"{"id":2,"subscribe":{"#) && received[0].contains(r#""data":[1]"#), "{received:?}");
        let present = alice.request(r#"{"id":3,"presence":{"channel":"guarded:a"}}"#).await;
        assert!(present[0].contains(r#""chan_info":{"role":"host"}"#), "{present:?}");

        let bob = world.user("bob").await;
        bob.send(SUBSCRIBE);
        bot.decide(json!({"error": {"code": 455, "message": "full", "retryable": true}})).await;
        assert_eq!(bob.receive().await, [r#"{"id":2,"error":{"code":455,"message":"full","temporary":true}}"#]);
        bob.send(SUBSCRIBE);
        let (id, _) = bot.question().await;
        bot.send(&json!({"error": {"id": id, "code": 456, "message": "own error"}}));
        assert_eq!(error(&bob.receive().await), (456, false));
        bob.send(SUBSCRIBE);
        bot.decide(json!({"disconnect": {"code": 4501, "reason": "banned"}})).await;
        assert_eq!(bob.receive().await, ["close 4501 banned"]);
        let counts = [QuestionResult::Allowed, QuestionResult::Refused, QuestionResult::Disconnected];
        assert_eq!(counts.map(|result| world.questions(QuestionKind::Subscribe, result)), [1, 2, 1]);
    });
}

#[test]
fn a_guard_decides_about_each_publish_in_order() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let (alice, reader) = (world.user("alice").await, world.anonymous().await);
        reader.send(SUBSCRIBE);
        bot.decide(json!({})).await;
        reader.receive().await;
        let publish = |id, data| alice.send(&json!({"id": id, "publish": {"channel": "guarded:a", "data": data}}).to_string());
        publish(3, "one");
        publish(4, "two");
        let (id, question) = bot.question().await;
        assert_eq!(question["data"], json!({"channel": "guarded:a", "data": "one"}));
        assert!(bot.is_idle().await, "one question at a time for a connection and channel");
        bot.answer(id, &json!({"data": "ONE"}));
        assert_eq!(bot.decide(Value::Null).await["data"], "two");
        assert_eq!(texts(&reader.receive().await), ["ONE", "two"]);
        assert_eq!(alice.receive().await, [r#"{"id":3,"publish":{}}"#, r#"{"id":4,"publish":{}}"#]);
        publish(5, "three");
        bot.decide(json!({"error": {"code": 400, "message": "rude"}})).await;
        assert_eq!(alice.receive().await, [r#"{"id":5,"error":{"code":400,"message":"rude"}}"#]);
        publish(6, "four");
        bot.decide(json!({"disconnect": {"code": 4000}})).await;
        assert_eq!(alice.receive().await, ["close 4000 "]);
        assert_eq!(texts(&reader.receive().await), [""; 0]);
    });
}

#[test]
fn a_publish_that_would_be_refused_anyway_is_not_asked_about() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.user("alice").await;
        let other = alice.request(r#"{"id":3,"publish":{"channel":"nowhere:a","data":1}}"#).await;
        assert_eq!(error(&other).0, 102);
        assert!(bot.is_idle().await);
    });
}

#[test]
fn without_a_valid_answer_nobody_gets_in() {
    run(bounds_with(|_| {}), |world| async move {
        let alice = world.user("alice").await;
        assert_eq!(error(&alice.request(SUBSCRIBE).await), (1000, true), "no instance");
        assert_eq!(error(&alice.request(PUBLISH).await), (1000, true), "no instance");
        let mut bot = Bot::open(&world).await;
        for garbage in
            [json!(true), json!("yes"), json!([]), json!({"allow": true}), json!({"error": {"code": 5}}), json!({"expires_in": 0})]
        {
            alice.send(SUBSCRIBE);
            bot.decide(garbage.clone()).await;
            assert_eq!(error(&alice.receive().await), (1000, true), "{garbage}");
            alice.send(PUBLISH);
            bot.decide(garbage.clone()).await;
            assert_eq!(error(&alice.receive().await), (1000, true), "{garbage}");
        }
        alice.send(SUBSCRIBE);
        let (id, _) = bot.question().await;
        elapse(2.1).await;
        assert_eq!(error(&alice.receive().await), (1000, true), "too slow");
        assert_eq!(bot.receive().await, json!({"cancel": {"id": id}}));
        bot.answer(id, &json!({}));
        assert_eq!(alice.receive().await, [""; 0], "the answer came too late");
        alice.send(SUBSCRIBE);
        bot.question().await;
        drop(bot);
        assert_eq!(error(&alice.receive().await), (1000, true), "killed in mid-answer");
        let results = [QuestionResult::Unavailable, QuestionResult::BadReply, QuestionResult::Timeout, QuestionResult::Allowed];
        assert_eq!(results.map(|result| world.questions(QuestionKind::Subscribe, result)), [1, 6, 2, 0]);
        assert!(
            alice.request(r#"{"id":9,"presence_stats":{"channel":"guarded:a"}}"#).await[0].contains(r#""presence_stats":{"num_clients":0"#)
        );
    });
}

#[test]
fn a_channel_may_do_without_a_guard_that_is_away() {
    run(bounds_with(|guards| guards.max_in_flight = 1), |world| async move {
        let alice = world.user("alice").await;
        let subscribed = alice.request(r#"{"id":2,"subscribe":{"channel":"lenient:a"}}"#).await;
        assert!(subscribed[0].starts_with(r#"{"id":2,"subscribe":{"#), "{subscribed:?}");
        let published = alice.request(r#"{"id":3,"publish":{"channel":"lenient:a","data":1}}"#).await;
        assert!(published.iter().any(|line| line == r#"{"id":3,"publish":{}}"#), "{published:?}");
        let counters = world.worker.node.services.guard_counters();
        assert_eq!([QuestionKind::Subscribe, QuestionKind::Publish].map(|kind| counters.bypassed(kind)), [1, 1]);

        let mut bot = Bot::open(&world).await;
        alice.send(r#"{"id":4,"publish":{"channel":"lenient:a","data":2}}"#);
        let (id, _) = bot.question().await;
        let full = alice.request(r#"{"id":5,"subscribe":{"channel":"lenient:b"}}"#).await;
        assert_eq!(error(&full), (111, true), "a busy guard is not away");
        bot.answer(id, &json!({"error": {"code": 400, "message": "no"}}));
        assert_eq!(error(&alice.receive().await), (400, false), "its answer counts");
    });
}

#[test]
fn a_frontend_that_leaves_cancels_its_question() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.user("alice").await;
        alice.send(SUBSCRIBE);
        let (id, _) = bot.question().await;
        alice.send_bytes(close_frame(1000));
        assert_eq!(bot.receive().await, json!({"cancel": {"id": id}}));
        assert!(alice.is_finished().await);
        assert_eq!(world.questions(QuestionKind::Subscribe, QuestionResult::Cancelled), 1);
        world.assert_empty().await;
    });
}

#[test]
fn frontends_cannot_ask_themselves() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.user("alice").await;
        for method in ["bot.guard.connect", "bot:guard.publish", "bot.guard.anything"] {
            let refused = alice.request(&json!({"id": 2, "rpc": {"method": method, "data": {}}}).to_string()).await;
            assert_eq!(error(&refused).0, 107, "{refused:?}");
            assert!(refused[0].contains("questions of the gateway"), "{refused:?}");
        }
        assert!(bot.is_idle().await);
    });
}

#[test]
fn an_answer_is_remembered_for_the_user_until_a_revocation() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let (first, second) = (world.user("alice").await, world.user("alice").await);
        first.send(SUBSCRIBE);
        second.send(SUBSCRIBE);
        bot.decide(json!({"data": 1, "cache": 60})).await;
        assert!(bot.is_idle().await, "equal questions at the same time are asked once");
        for peer in [&first, &second, &world.user("alice").await] {
            peer.send(r#"{"id":8,"unsubscribe":{"channel":"guarded:a"}}"#);
            let received = peer.request(SUBSCRIBE).await;
            assert!(received.last().is_some_and(|line| line.contains(r#""data":1"#)), "{received:?}");
        }
        assert!(bot.is_idle().await);
        assert_eq!(world.questions(QuestionKind::Subscribe, QuestionResult::Allowed), 1);

        let revocation = Revocation { until: u64::MAX, code: 3503, reason: "enough".into() };
        world
            .worker
            .node
            .broker
            .revoke(&RevocationTarget::User("bob".parse().expect("valid")), revocation.clone(), Duration::from_hours(1))
            .await
            .expect("room");
        world.open().request(&json!({"id": 1, "connect": {"token": world.token("bob")}}).to_string()).await;
        let other = world.user("alice").await.request(SUBSCRIBE).await;
        assert!(other[0].contains(r#""data":1"#), "a revocation of another user changes nothing: {other:?}");
        world.worker.node.services.forget_answers(&"alice".parse().expect("valid"), u64::MAX);
        first.send(r#"{"id":8,"unsubscribe":{"channel":"guarded:a"}}"#);
        first.send(SUBSCRIBE);
        bot.decide(json!({"error": {"code": 401, "message": "no longer"}})).await;
        assert_eq!(error(&first.receive().await[1..]), (401, false));
    });
}

#[test]
fn answers_for_one_caller_are_not_shared_and_nothing_is_remembered_for_nobody() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let (first, second) = (world.user("alice").await, world.user("alice").await);
        first.send(SUBSCRIBE);
        second.send(SUBSCRIBE);
        bot.decide(json!({"data": 1})).await;
        bot.decide(json!({"data": 2})).await;
        assert!(first.receive().await[0].contains(r#""data":1"#));
        assert!(second.receive().await[0].contains(r#""data":2"#));
        for expected in [3, 4] {
            let nobody = world.anonymous().await;
            nobody.send(SUBSCRIBE);
            bot.decide(json!({"data": expected, "cache": 60})).await;
            assert!(nobody.receive().await[0].contains(&format!(r#""data":{expected}"#)));
        }
    });
}

#[test]
fn if_the_connection_that_asked_leaves_another_one_asks() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let (first, second) = (world.user("alice").await, world.user("alice").await);
        first.send(SUBSCRIBE);
        let (id, _) = bot.question().await;
        second.send(SUBSCRIBE);
        assert!(bot.is_idle().await);
        first.send_bytes(close_frame(1000));
        assert_eq!(bot.receive().await, json!({"cancel": {"id": id}}));
        bot.decide(json!({})).await;
        assert!(second.receive().await[0].starts_with(r#"{"id":2,"subscribe":{"#));
    });
}

#[test]
fn an_expiry_of_a_guard_is_renewed_by_another_question() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.user("alice").await;
        alice.send(SUBSCRIBE);
        bot.decide(json!({"expires_in": 100})).await;
        let subscribed = alice.receive().await;
        assert!(!subscribed[0].contains("expires"), "the client has nothing to refresh: {subscribed:?}");
        let began = Instant::now();
        bot.decide(json!({"expires_in": 10})).await;
        assert!((80..=97).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        let (id, _) = bot.question().await;
        bot.answer(id, &json!({"error": {"code": 403, "message": "no longer"}}));
        settle().await;
        let ended = r#"{"push":{"channel":"guarded:a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#;
        assert!(alice.receive().await.contains(&ended.to_owned()));
    });
}

#[test]
fn a_service_decides_who_connects() {
    run(bot_decides(TokenCheck::Never), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.open();
        alice.send(r#"{"id":1,"connect":{"token":"opaque","data":{"v":2}}}"#);
        let (id, question) = bot.question().await;
        let data = json!({"token": "opaque", "data": {"v": 2}});
        assert_eq!(question, json!({"method": "guard.connect", "data": data, "user": "", "deadline_ms": 2000}));
        bot.answer(id, &json!({"user": "alice", "info": {"name": "A"}, "data": {"hello": 1}, "channels": ["kept:news"]}));
        let received = alice.receive().await;
        let reply: Value = serde_json::from_str(&received[0]).expect("JSON");
        assert_eq!(reply["connect"]["data"], json!({"hello": 1}), "{received:?}");
        let subs: Vec<_> = reply["connect"]["subs"].as_object().expect("subscriptions").keys().collect();
        assert_eq!(subs, ["#alice", "kept:news"]);
        let present = alice.request(r#"{"id":3,"presence":{"channel":"kept:news"}}"#).await;
        assert!(present[0].contains(r#""user":"alice""#) && present[0].contains(r#""conn_info":{"name":"A"}"#), "{present:?}");
        assert_eq!(error(&alice.request(r#"{"id":4,"refresh":{"token":"x"}}"#).await).0, 108, "nobody but the service checks tokens");

        for (answer, expected) in [
            (json!({"error": {"code": 403, "message": "no"}}), r#"{"id":1,"error":{"code":403,"message":"no"}}"#),
            (json!({"disconnect": {"code": 4003, "reason": "banned"}}), "close 4003 banned"),
        ] {
            let bob = world.open();
            bob.send(r#"{"id":1,"connect":{}}"#);
            bot.decide(answer).await;
            assert_eq!(bob.receive().await, [expected]);
        }
    });
}

#[test]
fn without_a_valid_answer_nobody_connects() {
    run(bot_decides(TokenCheck::Never), |world| async move {
        let connect = r#"{"id":1,"connect":{"token":"t"}}"#;
        assert_eq!(error(&world.open().request(connect).await), (100, true), "no instance");
        let mut bot = Bot::open(&world).await;
        let others = json!({"user": "alice", "channels": ["#bob"]});
        for garbage in [json!(true), json!({"user": 7}), json!({"user": "alice", "admin": true}), json!({"user": "a\u{0}"}), others] {
            let peer = world.open();
            peer.send(connect);
            bot.decide(garbage.clone()).await;
            assert_eq!(error(&peer.receive().await), (100, true), "{garbage}");
        }
        let slow = world.open();
        slow.send(connect);
        bot.question().await;
        elapse(2.1).await;
        assert_eq!(error(&slow.receive().await), (100, true), "too slow");
        bot.receive().await;
        let cut = world.open();
        cut.send(connect);
        bot.question().await;
        drop(bot);
        assert_eq!(error(&cut.receive().await), (100, true), "killed in mid-answer");
    });
}

#[test]
fn with_tokens_first_a_token_names_the_user_and_the_service_adds_the_rest() {
    run(bot_decides(TokenCheck::First), |world| async move {
        let mut bot = Bot::open(&world).await;
        let token = world.token("alice");
        let connect = json!({"id": 1, "connect": {"token": token}}).to_string();
        let alice = world.open();
        alice.send(&connect);
        let (id, question) = bot.question().await;
        assert_eq!(question["user"], "alice");
        assert_eq!(question["data"]["claims"], json!({"sub": "alice", "iat": 0}));
        bot.answer(id, &json!({"data": 1}));
        assert!(alice.receive().await[0].contains(r#""data":1"#));
        let other = world.open();
        other.send(&connect);
        bot.decide(json!({"user": "bob"})).await;
        assert_eq!(error(&other.receive().await), (100, true), "the service cannot change the user of a token");
        assert!(world.open().request(r#"{"id":1,"connect":{"token":"bad"}}"#).await[0].starts_with("close 3500"));
        assert!(bot.is_idle().await, "an invalid token is refused without a question");
        let nobody = world.open();
        nobody.send(r#"{"id":1,"connect":{}}"#);
        assert_eq!(bot.decide(json!({"user": "carol"})).await, json!({"token": "", "data": null}));
        assert!(nobody.receive().await[0].contains("#carol"));
    });
}

#[test]
fn a_reconnect_with_a_remembered_token_asks_nobody() {
    run(bot_decides(TokenCheck::Never), |world| async move {
        let mut bot = Bot::open(&world).await;
        let connect = r#"{"id":1,"connect":{"token":"t"}}"#;
        let (first, second) = (world.open(), world.open());
        first.send(connect);
        second.send(connect);
        bot.decide(json!({"user": "alice", "cache": 60})).await;
        assert!(first.receive().await[0].contains("#alice") && second.receive().await[0].contains("#alice"));
        assert!(world.open().request(connect).await[0].contains("#alice"));
        assert!(bot.is_idle().await);
        assert_eq!(world.questions(QuestionKind::Connect, QuestionResult::Cached), 2);

        // The answer was asked for before the revocation, so it no longer counts.
        let revocation = Revocation { until: u64::MAX - 1, code: 3503, reason: "enough".into() };
        world
            .worker
            .node
            .broker
            .revoke(&RevocationTarget::User("alice".parse().expect("valid")), revocation, Duration::from_hours(1))
            .await
            .expect("room");
        assert_eq!(error(&world.open().request(connect).await), (100, true), "the client connects again");
        let again = world.open();
        again.send(connect);
        bot.decide(json!({"error": {"code": 403, "message": "no longer"}})).await;
        assert_eq!(error(&again.receive().await), (403, false));
    });
}

#[test]
fn a_connection_whose_answer_ends_is_renewed_or_closed() {
    run(bot_decides(TokenCheck::Never), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.open();
        alice.send(r#"{"id":1,"connect":{"token":"t"}}"#);
        bot.decide(json!({"user": "alice", "expires_in": 100, "cache": 100})).await;
        assert!(!alice.receive().await[0].contains("expires"));
        assert_eq!(bot.decide(json!({"user": "alice", "expires_in": 10})).await["token"], "t", "a renewal is never answered from memory");
        bot.decide(json!({"error": {"code": 403, "message": "no longer"}})).await;
        assert_eq!(alice.receive().await, ["close 3005 connection expired"]);
    });
}

#[test]
fn calls_and_events_have_what_a_service_keeps_with_the_connection() {
    run(bot_decides(TokenCheck::Never), |world| async move {
        let mut bot = Bot::with_events(&world, &["connected", "disconnected"]).await;
        let alice = world.open();
        alice.send(r#"{"id":1,"connect":{"token":"t"}}"#);
        bot.decide(json!({"user": "alice", "meta": {"plan": "pro"}})).await;
        assert!(!alice.receive().await[0].contains("plan"), "frontends never see it");
        let event = bot.receive().await;
        assert_eq!((&event["event"]["kind"], &event["event"]["meta"]), (&json!("connected"), &json!({"plan": "pro"})));
        alice.send(SUBSCRIBE);
        let (id, question) = bot.question().await;
        assert_eq!(question["meta"], json!({"plan": "pro"}));
        bot.send(&json!({"reply": {"id": id, "data": {}, "meta": [1]}}));
        bot.send(&json!({"credit": {"n": 1}}));
        assert_eq!(error(&alice.receive().await), (1000, true), "only replies to calls change it");
        for (changed, expected) in [(json!([2]), json!([2])), (Value::Null, Value::Null)] {
            alice.send(r#"{"id":5,"rpc":{"method":"bot.upgrade"}}"#);
            let (id, _) = bot.question().await;
            bot.send(&json!({"reply": {"id": id, "data": 1, "meta": changed}}));
            bot.send(&json!({"credit": {"n": 1}}));
            assert_eq!(alice.receive().await, [r#"{"id":5,"rpc":{"data":1}}"#]);
            alice.send(r#"{"send":{"data":{"service":"bot"}}}"#);
            let event = bot.receive().await;
            assert_eq!((&event["event"]["kind"], &event["event"]["meta"]), (&json!("message"), &expected));
        }
        alice.send(r#"{"id":6,"rpc":{"method":"bot.upgrade"}}"#);
        let (id, _) = bot.question().await;
        bot.send(&json!({"reply": {"id": id, "data": 1, "meta": "x".repeat(1023)}}));
        assert_eq!(error(&alice.receive().await).0, 1004);
    });
}

#[test]
fn questions_leave_room_for_calls_and_wait_for_room_themselves() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let mut peers = Vec::new();
        for name in ["a", "b", "c", "d", "e", "f"] {
            let peer = world.user(name).await;
            peer.send(SUBSCRIBE);
            peers.push(peer);
        }
        let mut asked = Vec::new();
        for _ in 0..4 {
            asked.push(bot.question().await.0);
        }
        assert!(bot.is_idle().await, "half of the credit of 8");
        peers[0].send(r#"{"id":5,"rpc":{"method":"bot.say"}}"#);
        let (id, call) = bot.question().await;
        assert_eq!(call["method"], "say", "a call finds credit");
        bot.answer(id, &json!(1));
        let began = Instant::now();
        for id in asked {
            bot.answer(id, &json!({}));
        }
        bot.decide(json!({})).await;
        bot.decide(json!({})).await;
        assert!(began.elapsed() < Duration::from_millis(50), "those that waited come as soon as there is room: {:?}", began.elapsed());
        for peer in &peers {
            assert!(peer.receive().await.iter().any(|line| line.starts_with(r#"{"id":2,"subscribe":{"#)));
        }
    });
}

#[test]
fn a_question_that_waits_comes_with_the_credit_that_there_is_again() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let mut slow = 0;
        for name in ["a", "b", "c", "d"] {
            world.user(name).await.send(r#"{"id":9,"rpc":{"method":"bot.slow"}}"#);
            slow = bot.question().await.0;
        }
        let alice = world.user("alice").await;
        alice.send(SUBSCRIBE);
        assert!(bot.is_idle().await, "half of the credit of 8 is for calls");
        bot.answer(slow, &json!(1));
        let began = Instant::now();
        assert_eq!(bot.question().await.1["method"], "guard.subscribe");
        assert_eq!(began.elapsed(), Duration::ZERO);
    });
}

#[test]
fn a_question_ends_after_the_time_of_its_route() {
    let route = Route { call_timeout: Duration::from_millis(500), ..Route::default() };
    let bot = ServiceConfig { methods: [("guard.subscribe".into(), route)].into(), ..ServiceConfig::default() };
    run(Bounds { bot, ..bounds_with(|_| {}) }, |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.user("alice").await;
        alice.send(SUBSCRIBE);
        assert_eq!(bot.question().await.1["deadline_ms"], 500);
        elapse(0.4).await;
        assert_eq!(alice.receive().await, [""; 0]);
        elapse(0.2).await;
        assert_eq!(error(&alice.receive().await), (1000, true));
        alice.send(PUBLISH);
        assert_eq!(bot.receive().await["cancel"]["id"], 1);
        assert_eq!(bot.question().await.1["deadline_ms"], 2000, "another method has the time of guards");
    });
}

#[test]
fn a_question_that_finds_no_room_in_its_time_is_refused() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let mut callers = Vec::new();
        for name in ["a", "b", "c", "d"] {
            let caller = world.user(name).await;
            caller.send(r#"{"id":9,"rpc":{"method":"bot.slow"}}"#);
            bot.question().await;
            callers.push(caller);
        }
        let alice = world.user("alice").await;
        alice.send(SUBSCRIBE);
        elapse(1.9).await;
        assert_eq!(alice.receive().await, [""; 0]);
        elapse(0.2).await;
        assert_eq!(error(&alice.receive().await), (111, true));
        assert_eq!(world.questions(QuestionKind::Subscribe, QuestionResult::Overloaded), 1);
    });
}

#[test]
fn a_flood_does_not_open_a_channel_that_may_do_without_its_guard() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let mut slow = 0;
        for name in ["a", "b", "c", "d"] {
            world.user(name).await.send(r#"{"id":9,"rpc":{"method":"bot.slow"}}"#);
            slow = bot.question().await.0;
        }
        let alice = world.user("alice").await;
        alice.send(LENIENT);
        elapse(1.95).await;
        bot.answer(slow, &json!(1));
        assert_eq!(bot.question().await.1["method"], "guard.subscribe", "there is room, but little time");
        elapse(0.1).await;
        assert_eq!(error(&alice.receive().await), (111, true));
        let counters = world.worker.node.services.guard_counters();
        assert_eq!(
            (counters.bypassed(QuestionKind::Subscribe), world.questions(QuestionKind::Subscribe, QuestionResult::Overloaded)),
            (0, 1)
        );
    });
}

#[test]
fn a_question_that_waited_for_an_equal_one_does_not_open_a_channel() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let (first, second) = (world.user("alice").await, world.user("alice").await);
        first.send(LENIENT);
        bot.question().await;
        second.send(LENIENT);
        elapse(1.95).await;
        first.send_bytes(close_frame(1000));
        assert!(bot.receive().await["cancel"].is_object());
        bot.question().await;
        elapse(0.1).await;
        assert_eq!(error(&second.receive().await), (111, true));
    });
}

#[test]
fn questions_that_wait_for_an_equal_one_share_its_end() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let (first, second) = (world.user("alice").await, world.user("alice").await);
        first.send(SUBSCRIBE);
        let (id, _) = bot.question().await;
        elapse(1.0).await;
        second.send(SUBSCRIBE);
        elapse(1.1).await;
        assert_eq!([error(&first.receive().await), error(&second.receive().await)], [(1000, true); 2]);
        assert_eq!(bot.receive().await, json!({"cancel": {"id": id}}));
        assert!(bot.is_idle().await, "the second one does not ask again");
        assert_eq!(world.questions(QuestionKind::Subscribe, QuestionResult::Timeout), 2);
    });
}

#[test]
fn a_renewal_does_not_do_without_the_guard() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.user("alice").await;
        alice.send(LENIENT);
        bot.decide(json!({"expires_in": 100})).await;
        alice.receive().await;
        drop(bot);
        elapse(118.0).await;
        assert_eq!(alice.receive().await, [""; 0], "within the grace");
        elapse(4.0).await;
        let ended = r#"{"push":{"channel":"lenient:a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#;
        assert!(alice.receive().await.contains(&ended.to_owned()));
        assert_eq!(world.worker.node.services.guard_counters().bypassed(QuestionKind::Subscribe), 0);
    });
}

#[test]
fn a_renewal_is_asked_and_its_answer_is_remembered() {
    run(bounds_with(|_| {}), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.user("alice").await;
        alice.send(SUBSCRIBE);
        let began = Instant::now();
        bot.decide(json!({"expires_in": 100, "cache": 99})).await;
        bot.decide(json!({"data": "renewed", "expires_in": 100, "cache": 60})).await;
        assert!((80..=97).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        let subscribed = world.user("alice").await.request(SUBSCRIBE).await;
        assert!(subscribed[0].contains(r#""data":"renewed""#), "{subscribed:?}");
        assert!(bot.is_idle().await);
    });
}

#[test]
fn a_connection_whose_renewal_is_refused_does_not_come_back_with_the_older_answer() {
    run(bot_decides(TokenCheck::Never), |world| async move {
        let mut bot = Bot::open(&world).await;
        let connect = r#"{"id":1,"connect":{"token":"t"}}"#;
        let alice = world.open();
        alice.send(connect);
        bot.decide(json!({"user": "alice", "expires_in": 100, "cache": 100})).await;
        bot.decide(json!({"error": {"code": 403, "message": "no longer"}})).await;
        assert_eq!(alice.receive().await.last().map(String::as_str), Some("close 3005 connection expired"));
        let again = world.open().request(connect).await;
        assert_eq!(again, [""; 0], "the service is asked");
        bot.question().await;
    });
}

#[test]
fn an_answer_is_not_remembered_for_longer_than_a_revocation() {
    run(bounds_with(|guards| guards.revocation_ttl = Duration::from_mins(1)), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.user("alice").await;
        alice.send(SUBSCRIBE);
        bot.decide(json!({"cache": 600})).await;
        elapse(57.0).await;
        world.user("alice").await.request(SUBSCRIBE).await;
        assert!(bot.is_idle().await, "it is remembered");
        elapse(2.0).await;
        world.user("alice").await.request(SUBSCRIBE).await;
        bot.decide(json!({})).await;
        assert_eq!(world.questions(QuestionKind::Subscribe, QuestionResult::Allowed), 2);
    });
}

#[test]
fn an_answer_that_does_not_fit_the_token_is_not_valid_and_not_remembered() {
    for (tokens, answer) in [
        (TokenCheck::First, json!({"user": "bob", "cache": 60})),
        (TokenCheck::Never, json!({"user": "alice", "channels": ["#bob"], "cache": 60})),
    ] {
        run(bot_decides(tokens), |world| async move {
            let mut bot = Bot::open(&world).await;
            let connect = json!({"id": 1, "connect": {"token": world.token("alice")}}).to_string();
            for asked in 1..=2 {
                let peer = world.open();
                peer.send(&connect);
                settle().await;
                bot.decide(answer.clone()).await;
                assert_eq!(error(&peer.receive().await), (100, true), "{answer}");
                let results = [QuestionResult::BadReply, QuestionResult::Allowed, QuestionResult::Cached];
                assert_eq!(results.map(|result| world.questions(QuestionKind::Connect, result)), [asked, 0, 0], "{answer}");
            }
        });
    }
}

#[test]
fn an_answer_without_a_user_connects_only_where_anonymous_connections_are_allowed() {
    for (anonymous, answer, expected) in [
        (true, json!({}), Ok("")),
        (true, json!({"user": ""}), Ok("")),
        (false, json!({}), Err((101, false))),
        (false, json!({"user": "", "info": 1}), Err((101, false))),
        (false, json!({"user": "alice"}), Ok("#alice")),
    ] {
        run(Bounds { anonymous, ..bot_decides(TokenCheck::Never) }, |world| async move {
            let mut bot = Bot::open(&world).await;
            let peer = world.open();
            peer.send(r#"{"id":1,"connect":{"token":"t"}}"#);
            bot.decide(answer.clone()).await;
            let received = peer.receive().await;
            match expected {
                Ok(channel) => assert!(received[0].starts_with(r#"{"id":1,"connect""#) && received[0].contains(channel), "{received:?}"),
                Err(refused) => assert_eq!(error(&received), refused, "{answer}"),
            }
        });
    }
}
