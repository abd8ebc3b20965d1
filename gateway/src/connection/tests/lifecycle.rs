//! The lifecycle events of connections and of their subscriptions.

use super::*;
use crate::services::Count;

const ALL: [&str; 4] = ["connected", "disconnected", "subscribed", "unsubscribed"];

/// The next lifecycle events, in their order: kind, channel, code and reason.
async fn in_order(bot: &mut Bot) -> Vec<String> {
    settle().await;
    let mut events = Vec::new();
    while let Ok(link::Sent::Text(text)) = bot.from.try_recv() {
        let event = &serde_json::from_str::<Value>(&text).expect("JSON")["event"];
        assert!(event["id"].is_string() && event["time"].as_u64().is_some_and(|time| time > 1_700_000_000_000), "{event}");
        assert_eq!(event["generation"], "1");
        bot.send(&json!({"credit": {"n": 1}}));
        let data = &event["data"];
        let words = [&event["kind"], &data["channel"], &data["code"], &data["reason"]]
            .map(|it| it.as_str().map_or_else(|| it.to_string(), Into::into));
        events.push(words.join(" ").replace(" null", ""));
    }
    events
}

async fn subscribed_to_two(world: &World, bot: &mut Bot) -> Peer {
    let alice = world.user("alice").await;
    alice.request(r#"{"id":2,"subscribe":{"channel":"kept:a"}}"#).await;
    assert_eq!(in_order(bot).await, ["connected", "subscribed #alice", "subscribed kept:a"]);
    alice
}

#[test]
fn the_end_of_a_connection_ends_its_subscriptions_first_with_its_code_and_reason() {
    for (code, expected) in [(None, "1006 the connection broke"), (Some(4001), "4001 elsewhere")] {
        run(default_bounds(), |world| async move {
            let mut bot = Bot::with_events(&world, &ALL).await;
            let alice = subscribed_to_two(&world, &mut bot).await;
            if let Some(code) = code {
                world.command("alice", ServerCommand::Disconnect { code, reason: "elsewhere".into() }).await;
                settle().await;
            }
            alice.socket.feed(Incoming::Eof);
            assert!(alice.is_finished().await);
            let ends = ["unsubscribed #alice", "unsubscribed kept:a", "disconnected"].map(|what| format!("{what} {expected}"));
            assert_eq!(in_order(&mut bot).await, ends);
            world.assert_empty().await;
        });
    }
}

#[test]
fn the_peers_own_close_has_its_code() {
    for (frame, expected) in [(close_frame(1001), "1001"), (frame(0x88, b""), "1005")] {
        run(default_bounds(), |world| async move {
            let mut bot = Bot::with_events(&world, &ALL[..2]).await;
            let alice = world.user("alice").await;
            alice.send_bytes(frame);
            assert!(alice.is_finished().await);
            assert_eq!(in_order(&mut bot).await, ["connected".to_owned(), format!("disconnected {expected} closed by the client")]);
        });
    }
}

#[test]
fn the_end_of_a_subscription_has_the_code_that_the_client_gets() {
    run(default_bounds(), |world| async move {
        let mut bot = Bot::with_events(&world, &ALL).await;
        let alice = subscribed_to_two(&world, &mut bot).await;
        alice.request(r#"{"id":3,"unsubscribe":{"channel":"kept:a"}}"#).await;
        alice.request(r#"{"id":4,"unsubscribe":{"channel":"kept:a"}}"#).await;
        assert_eq!(in_order(&mut bot).await, ["unsubscribed kept:a 0 unsubscribe called"], "once");
        alice.request(r#"{"id":5,"subscribe":{"channel":"kept:a"}}"#).await;
        let unsubscribe = ServerCommand::Unsubscribe { channel: "kept:a".parse().expect("valid"), code: Unsubscribe::Server };
        world.command("alice", unsubscribe).await;
        assert_eq!(in_order(&mut bot).await, ["subscribed kept:a", "unsubscribed kept:a 2000 server unsubscribe"]);
    });
}

#[test]
fn a_connection_that_catches_up_is_reported_as_subscribed_once_it_is_live() {
    run(default_bounds(), |world| async move {
        let mut bot = Bot::with_events(&world, &ALL[2..]).await;
        let alice = world.anonymous().await;
        // One page of history has four publications.
        for number in 0..10 {
            world.publish("kept:a", &number.to_string()).await;
        }
        alice.request(r#"{"id":2,"subscribe":{"channel":"kept:a","recover":true,"epoch":"","offset":0}}"#).await;
        alice.request(r#"{"id":3,"subscribe":{"channel":"open:unknown:a"}}"#).await;
        let first = in_order(&mut bot).await;
        assert_eq!(first[0], "subscribed kept:a", "{first:?}");
        alice.request(r#"{"id":4,"unsubscribe":{"channel":"kept:a"}}"#).await;
        assert_eq!(in_order(&mut bot).await, ["unsubscribed kept:a 0 unsubscribe called"]);
    });
}

/// A link with `lifecycle` in its namespace: the cluster is this node alone.
fn run_with_cluster<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    run(default_bounds(), |world| async move {
        let node = world.worker.node.clone();
        tokio::task::spawn_local(async move {
            futures_util::join!(node.cluster.run(tokio_util::sync::CancellationToken::new()), node.services.send_events(&node.cluster));
        });
        test(world).await;
    });
}

/// The next events about channels: kind and channel. Fails if the generation of an end is not that of its begin.
async fn of_channels(bot: &mut Bot, generations: &mut Vec<String>) -> Vec<String> {
    settle().await;
    let mut events = Vec::new();
    while let Ok(link::Sent::Text(text)) = bot.from.try_recv() {
        let event = &serde_json::from_str::<Value>(&text).expect("JSON")["event"];
        let (kind, generation) = (event["kind"].as_str().expect("a text"), event["generation"].as_str().expect("a text").to_owned());
        if kind == "occupied" {
            assert!(generations.iter().all(|earlier| *earlier < generation), "{generation} after {generations:?}");
            generations.push(generation);
        } else {
            assert_eq!(generations.last(), Some(&generation));
        }
        bot.send(&json!({"credit": {"n": 1}}));
        events.push(format!("{kind} {}", event["data"]["channel"].as_str().expect("a text")));
    }
    events
}

#[test]
fn a_channel_is_occupied_from_its_first_subscriber_until_it_was_empty_for_a_while() {
    run_with_cluster(|world| async move {
        let early = world.anonymous().await;
        early.request(r#"{"id":2,"subscribe":{"channel":"watched:early"}}"#).await;
        let (mut bot, mut generations) = (Bot::with_events(&world, &["occupied", "vacated"]).await, Vec::new());
        assert_eq!(of_channels(&mut bot, &mut generations).await, ["occupied watched:early"], "it was occupied before anybody asked");
        // Generations of different channels may be equal.
        generations.clear();
        let (alice, bob) = (world.anonymous().await, world.anonymous().await);
        for _ in 0..2 {
            alice.request(r#"{"id":2,"subscribe":{"channel":"watched:a"}}"#).await;
            assert_eq!(of_channels(&mut bot, &mut generations).await, ["occupied watched:a"]);
            bob.request(r#"{"id":2,"subscribe":{"channel":"watched:a"}}"#).await;
            bob.request(r#"{"id":3,"subscribe":{"channel":"open:a"}}"#).await;
            alice.request(r#"{"id":3,"unsubscribe":{"channel":"watched:a"}}"#).await;
            elapse(5.0).await;
            assert_eq!(of_channels(&mut bot, &mut generations).await, [""; 0], "bob is there, and open:a has no lifecycle");
            bob.request(r#"{"id":4,"unsubscribe":{"channel":"watched:a"}}"#).await;
            elapse(1.0).await;
            bob.request(r#"{"id":5,"subscribe":{"channel":"watched:a"}}"#).await;
            elapse(5.0).await;
            assert_eq!(of_channels(&mut bot, &mut generations).await, [""; 0], "bob returned soon");
            bob.request(r#"{"id":6,"unsubscribe":{"channel":"watched:a"}}"#).await;
            elapse(1.9).await;
            assert_eq!(of_channels(&mut bot, &mut generations).await, [""; 0], "it lingers");
            elapse(0.2).await;
            assert_eq!(of_channels(&mut bot, &mut generations).await, ["vacated watched:a"]);
        }
    });
}

#[test]
fn the_end_of_an_occupation_waits_until_a_service_asks_for_it() {
    for (wait, expected) in [(300.0, vec!["vacated watched:a"]), (700.0, vec![])] {
        run_with_cluster(|world| async move {
            // It makes the node look for occupations, and nobody wants their ends.
            let (mut early, mut generations) = (Bot::with_events(&world, &["occupied"]).await, Vec::new());
            let alice = world.anonymous().await;
            alice.request(r#"{"id":2,"subscribe":{"channel":"watched:a"}}"#).await;
            assert_eq!(of_channels(&mut early, &mut generations).await, ["occupied watched:a"]);
            alice.request(r#"{"id":3,"unsubscribe":{"channel":"watched:a"}}"#).await;
            elapse(wait).await;
            let expired = world.worker.node.services.counters().get(Count::LifecycleNotRequested);
            assert_eq!(expired, u64::from(expected.is_empty()));
            let mut late = Bot::with_events(&world, &["vacated"]).await;
            assert_eq!(of_channels(&mut late, &mut generations).await, expected);
        });
    }
}
