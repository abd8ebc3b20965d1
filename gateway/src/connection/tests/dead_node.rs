//! Lifecycle events of a connection whose node counted as dead in the cluster.

use super::*;
use crate::services::Count;

const ALL: [&str; 4] = ["connected", "disconnected", "subscribed", "unsubscribed"];

// NL-7.1
#[test]
fn a_node_that_counted_as_dead_reports_its_connections_again_as_credit_allows() {
    run(default_bounds(), |world| async move {
        let mut bot = Bot::with_events(&world, &ALL).await;
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        for peer in [&alice, &bob] {
            peer.request(r#"{"id":2,"subscribe":{"channel":"kept:a"}}"#).await;
        }
        assert_eq!(bot.events().await.len(), 6, "each user has one connection and two channels");
        world.worker.hub.all_registered();
        elapse(1.0).await;
        assert_eq!(bot.events().await, [""; 0], "lifecycle events may use half of the credit only");
        alice.request(r#"{"id":3,"unsubscribe":{"channel":"kept:a"}}"#).await;
        bob.request(r#"{"id":3,"subscribe":{"channel":"kept:b"}}"#).await;
        assert_eq!(bot.events().await, [""; 0], "services have not received the second `subscribed` yet");
        let mut events = Vec::new();
        for (credit, sum) in [(4, 2), (9, 6)] {
            bot.send(&json!({"credit": {"n": credit}}));
            elapse(1.0).await;
            events.extend(bot.events().await);
            assert_eq!(events.len(), sum, "{events:?}");
        }
        events.sort();
        let joined = ["subscribed alice #alice", "subscribed bob #bob", "subscribed bob kept:a", "subscribed bob kept:b"];
        assert_eq!(events, [&["connected alice", "connected bob"][..], &joined].concat());
        bob.request(r#"{"id":4,"unsubscribe":{"channel":"kept:a"}}"#).await;
        assert_eq!(bot.events().await, ["unsubscribed bob kept:a"]);
        assert_eq!(world.worker.node.services.counters().get(Count::LifecycleNoCredit), 0);
    });
}

#[test]
fn a_connection_that_ends_before_its_second_report_is_reported_as_disconnected() {
    run(default_bounds(), |world| async move {
        let mut bot = Bot::with_events(&world, &ALL[..2]).await;
        let mut peers = Vec::new();
        for name in ["a", "b", "c", "d"] {
            peers.push(world.user(name).await);
        }
        assert_eq!(bot.events().await.len(), 4);
        world.worker.hub.all_registered();
        elapse(1.0).await;
        let ended = peers.swap_remove(0);
        ended.socket.feed(Incoming::Eof);
        assert!(ended.is_finished().await);
        assert_eq!(bot.events().await, ["disconnected a"]);
        bot.send(&json!({"credit": {"n": 9}}));
        elapse(1.0).await;
        assert_eq!(bot.events().await, ["connected b", "connected c", "connected d"]);
    });
}

#[test]
fn subscriptions_that_services_do_not_know_yet_are_reported_once() {
    run(default_bounds(), |world| async move {
        let mut bot = Bot::with_events(&world, &ALL).await;
        world.worker.hub.register_all_subscriptions();
        let alice = world.user("alice").await;
        alice.request(r#"{"id":2,"subscribe":{"channel":"watched:a"}}"#).await;
        alice.request(r#"{"id":3,"subscribe":{"channel":"watched:b"}}"#).await;
        let known = ["connected alice", "subscribed alice #alice"];
        assert_eq!(bot.events().await, known, "the registry does not have the others yet");
        bot.send(&json!({"credit": {"n": 8}}));
        world.worker.hub.all_registered();
        elapse(1.0).await;
        assert_eq!(bot.events().await, known);
        alice.request(r#"{"id":4,"unsubscribe":{"channel":"watched:a"}}"#).await;
        world.worker.hub.all_subscriptions_registered();
        assert_eq!(bot.events().await, ["subscribed alice watched:b"]);
        alice.request(r#"{"id":5,"unsubscribe":{"channel":"watched:b"}}"#).await;
        assert_eq!(bot.events().await, ["unsubscribed alice watched:b"]);
    });
}
