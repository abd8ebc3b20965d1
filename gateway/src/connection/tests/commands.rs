//! Commands of well-behaved frontends.

use super::*;

#[test]
fn a_frontend_connects_subscribes_and_receives_publications() {
    run(default_bounds(), |world| async move {
        let alice = world.open();
        let received = alice.request(r#"{"id":1,"connect":{}}"#).await;
        assert!(received.len() == 1 && received[0].starts_with(r#"{"id":1,"connect":{"client":""#), "{received:?}");
        assert_eq!(alice.request(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await, [r#"{"id":2,"subscribe":{}}"#]);
        world.publish("open:a", "hello").await;
        world.publish("open:b", "elsewhere").await;
        let received = alice.receive().await;
        assert!(received.len() == 1 && received[0].starts_with(r#"{"push":{"channel":"open:a","pub":{"data":"hello","#), "{received:?}");
    });
}

#[test]
fn one_message_may_contain_several_commands() {
    run(default_bounds(), |world| async move {
        let alice = world.open();
        let message = [
            r#"{"id":1,"connect":{}}"#,
            r#"{"id":2,"subscribe":{"channel":"open:a"}}"#,
            r#"{"id":3,"publish":{"channel":"open:a","data":"mine"}}"#,
            r#"{"id":4,"ping":{}}"#,
        ];
        let received = alice.request(&message.join("\n")).await;
        assert!(received[0].starts_with(r#"{"id":1,"connect""#), "the reply to connect comes first: {received:?}");
        let begins =
            |with: &str| received.iter().position(|line| line.starts_with(with)).unwrap_or_else(|| panic!("no {with} in {received:?}"));
        assert!(
            begins(r#"{"id":2,"subscribe""#) < begins(r#"{"push":{"channel":"open:a","pub""#),
            "the reply to subscribe precedes the publication"
        );
        begins(r#"{"id":3,"publish""#);
        begins(r#"{"id":4,"ping""#);
        assert_eq!(received.len(), 5);
    });
}

// NL-8.1
#[test]
fn calls_of_one_message_keep_their_order_behind_a_command_that_ends_at_once() {
    run(Bounds { in_flight: 32, ..default_bounds() }, |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.anonymous().await;
        let call = |id: u32| format!(r#"{{"id":{id},"rpc":{{"method":"bot.say","data":{id}}}}}"#);
        let refused = r#"{"id":2,"rpc":{"method":"nobody.say"}}"#.to_owned();
        let mut answers = alice.request(&[vec![refused], (3..8).map(call).collect()].concat().join("\n")).await;
        for id in 3..8 {
            let called = bot.receive().await;
            assert_eq!(called["call"]["data"], id);
            bot.send(&json!({"reply": {"id": called["call"]["id"], "data": id}}));
            answers.extend(alice.receive().await);
        }
        let begins = |line: &String| line.starts_with(r#"{"id":2,"error""#);
        assert!(answers.len() == 6 && begins(&answers[0]), "{answers:?}");
    });
}

#[test]
fn a_message_may_arrive_byte_by_byte_and_many_may_arrive_together() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        for byte in frame(0x81, br#"{"id":2,"ping":{}}"#) {
            assert_eq!(alice.receive().await, [""; 0]);
            alice.send_bytes([byte]);
        }
        assert_eq!(alice.receive().await, [r#"{"id":2,"ping":{}}"#]);
        let ping = |id: u32| format!(r#"{{"id":{id},"ping":{{}}}}"#);
        alice.send_bytes((3..100).flat_map(|id| frame(0x81, ping(id).as_bytes())).collect::<Vec<_>>());
        assert_eq!(alice.receive().await, (3..100).map(ping).collect::<Vec<_>>());
    });
}

// NL-5.2
#[test]
fn recovery_delivers_the_first_page_in_the_reply_and_further_pages_after_it() {
    run(default_bounds(), |world| async move {
        let expected: Vec<String> = (0..20).map(|n| format!("text {n}")).collect();
        for text in &expected {
            world.publish("kept:a", text).await;
        }
        let alice = world.anonymous().await;
        let received = alice.request(r#"{"id":2,"subscribe":{"channel":"kept:a","recover":true}}"#).await;
        let answer: Value = serde_json::from_str(&received[0]).expect("JSON");
        let first = answer["subscribe"]["publications"].as_array().expect("the first page");
        let mut got: Vec<String> = first.iter().filter_map(|it| it["data"].as_str().map(str::to_owned)).collect();
        assert_eq!(got.len(), 4, "one page");
        got.extend(texts(&received[1..]));
        assert_eq!(got, expected);
        world.publish("kept:a", "live").await;
        assert_eq!(texts(&alice.receive().await), ["live"]);
    });
}

// NL-5.4
#[test]
fn a_slow_reader_receives_missed_publications_as_its_outbox_gets_room() {
    run(default_bounds(), |world| async move {
        let expected: Vec<String> = (0..100).map(|n| format!("{n} {}", "x".repeat(100))).collect();
        for text in &expected {
            world.publish("kept:a", text).await;
        }
        let alice = world.anonymous().await;
        alice.accept_bytes(0);
        alice.send(r#"{"id":2,"subscribe":{"channel":"kept:a","recover":true}}"#);
        settle().await;
        assert!(world.worker.hub.budget().used() < 4000, "missed publications wait in the history, not in the outbox");
        let mut got = Vec::new();
        while got.len() < expected.len() {
            alice.accept_bytes(500);
            let before = got.len();
            for line in alice.receive().await {
                let line: Value = serde_json::from_str(&line).expect("a JSON line, not a close frame");
                let recovered = line["subscribe"]["publications"].as_array().cloned().unwrap_or_default();
                got.extend(
                    recovered.into_iter().chain([line["push"]["pub"].clone()]).filter_map(|it| it["data"].as_str().map(str::to_owned)),
                );
            }
            assert!(got.len() >= before);
        }
        assert_eq!(got, expected);
    });
}

#[test]
fn both_kinds_of_ping_are_answered() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        alice.send_bytes(frame(0x89, b"are you there?"));
        assert_eq!(alice.receive().await, ["pong are you there?"]);
        alice.send_bytes(frame(0x8A, b"unasked"));
        assert_eq!(alice.request(r#"{"id":7,"ping":{}}"#).await, [r#"{"id":7,"ping":{}}"#]);
    });
}

#[test]
fn services_reach_all_connections_of_a_user() {
    run(default_bounds(), |world| async move {
        let (first, second, nobody) = (world.user("alice").await, world.user("alice").await, world.anonymous().await);
        let data = gateway_core::model::Data::null();
        assert_eq!(world.command("alice", ServerCommand::Message { data, queue: None }).await, 2);
        for alice in [&first, &second] {
            assert_eq!(alice.receive().await, [r#"{"push":{"message":{"data":null}}}"#]);
        }
        assert_eq!(nobody.receive().await, [""; 0]);
    });
}

fn refresh(user: &str, issued: u64, world: &World) -> String {
    let token = world.worker.node.tokens.sign_connection(&ConnectionClaims::of(user.parse().expect("valid")), issued).expect("a key");
    json!({"id": 2, "refresh": {"token": token}}).to_string()
}

#[test]
fn a_refresh_refuses_a_token_from_before_the_revocation() {
    run(default_bounds(), |world| async move {
        let (first, second, bob) = (world.user("alice").await, world.user("alice").await, world.user("bob").await);
        let (alice, revocation): (UserId, _) =
            ("alice".parse().expect("valid"), Revocation { until: 10, code: 3503, reason: "enough".into() });
        world.worker.node.broker.revoke(&RevocationTarget::User(alice.clone()), revocation, Duration::from_hours(1)).await.expect("room");
        let answer = second.request(&refresh("alice", 11, &world)).await;
        assert!(answer[0].starts_with(r#"{"id":2,"refresh":{"client""#), "{answer:?}");
        assert_eq!(first.request(&refresh("alice", 10, &world)).await, ["close 3005 connection expired"]);
        let answer = bob.request(&refresh("bob", 1, &world)).await;
        assert!(answer[0].starts_with(r#"{"id":2,"refresh":{"client""#), "{answer:?}");
    });
}

#[test]
fn a_subscribe_refuses_a_token_from_before_the_revocation() {
    run(default_bounds(), |world| async move {
        let peer = world.user("alice").await;
        let (alice, revocation): (UserId, _) =
            ("alice".parse().expect("valid"), Revocation { until: 10, code: 3503, reason: "enough".into() });
        world.worker.node.broker.revoke(&RevocationTarget::User(alice.clone()), revocation, Duration::from_hours(1)).await.expect("room");
        let subscribe = |id: u32, issued| {
            let claims = SubscriptionClaims {
                user: alice.clone(),
                channel: "open:a".parse().expect("valid"),
                issued: None,
                expires: None,
                revocable: None,
                info: None,
            };
            let token = world.worker.node.tokens.sign_subscription(&claims, issued).expect("a key");
            json!({"id": id, "subscribe": {"channel": "open:a", "token": token}}).to_string()
        };
        let refused: Value = serde_json::from_str(&peer.request(&subscribe(2, 10)).await[0]).expect("JSON");
        assert_eq!(refused["error"]["code"], 109, "after this code, the SDK fetches another token: {refused}");
        assert_eq!(peer.request(&subscribe(3, 11)).await, [r#"{"id":3,"subscribe":{}}"#]);
    });
}

// NL-7.10
#[test]
fn a_revocation_check_closes_a_connection_that_missed_the_revocation() {
    run(default_bounds(), |world| async move {
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        let revocation = Revocation { until: 10, code: 3503, reason: "enough".into() };
        world
            .worker
            .node
            .broker
            .revoke(&RevocationTarget::User("alice".parse().expect("valid")), revocation, Duration::from_hours(1))
            .await
            .expect("room");
        assert_eq!(alice.receive().await, [""; 0], "the node has not checked revocations yet");
        assert!(world.mailbox.post(MailboxEntry::CheckRevocations));
        assert_eq!(alice.receive().await, ["close 3503 enough"]);
        assert_eq!(bob.receive().await, [""; 0]);
    });
}

#[test]
fn a_subscription_that_a_service_made_with_an_expiry_expires() {
    run(default_bounds(), |world| async move {
        let alice = world.user("alice").await;
        let channel: ChannelName = "open:a".parse().expect("valid");
        let expires_in = Some(Duration::from_secs(5));
        assert_eq!(world.command("alice", ServerCommand::Subscribe { channel, since: None, expires_in }).await, 1);
        assert_eq!(alice.receive().await, [r#"{"push":{"channel":"open:a","subscribe":{}}}"#]);
        elapse(4.0).await;
        world.publish("open:a", "in time").await;
        assert_eq!(texts(&alice.receive().await), ["in time"]);
        elapse(2.0).await;
        world.publish("open:a", "too late").await;
        let ended = r#"{"push":{"channel":"open:a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#;
        assert_eq!(alice.receive().await, [ended]);
    });
}
