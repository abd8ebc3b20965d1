//! What services hear of a connection whose node was taken for dead.

use super::*;
use crate::services::Count;

const ALL: [&str; 4] = ["connected", "disconnected", "subscribed", "unsubscribed"];

// NL-7.1
#[test]
fn in_a_second_life_a_connection_comes_and_joins_anew_as_there_is_room() {
    within(usual(), |world| async move {
        let mut bot = Bot::asking(&world, &ALL).await;
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        for peer in [&alice, &bob] {
            peer.asks(r#"{"id":2,"subscribe":{"channel":"kept:a"}}"#).await;
        }
        assert_eq!(bot.told().await.len(), 6, "each of one connection and two channels");
        world.worker.hub.all_registered();
        after(1.0).await;
        assert_eq!(bot.told().await, [""; 0], "half of the credit is for calls");
        alice.asks(r#"{"id":3,"unsubscribe":{"channel":"kept:a"}}"#).await;
        bob.asks(r#"{"id":3,"subscribe":{"channel":"kept:b"}}"#).await;
        assert_eq!(bot.told().await, [""; 0], "in this life it has joined nothing yet");
        let mut told = Vec::new();
        for (credit, sum) in [(4, 2), (9, 6)] {
            bot.says(&json!({"credit": {"n": credit}}));
            after(1.0).await;
            told.extend(bot.told().await);
            assert_eq!(told.len(), sum, "{told:?}");
        }
        told.sort();
        let joined = ["subscribed alice #alice", "subscribed bob #bob", "subscribed bob kept:a", "subscribed bob kept:b"];
        assert_eq!(told, [&["connected alice", "connected bob"][..], &joined].concat());
        bob.asks(r#"{"id":4,"unsubscribe":{"channel":"kept:a"}}"#).await;
        assert_eq!(bot.told().await, ["unsubscribed bob kept:a"]);
        assert_eq!(world.worker.node.services.counters().get(Count::LifecycleNoCredit), 0);
    });
}

#[test]
fn who_ends_before_it_was_told_again_ends_all_the_same() {
    within(usual(), |world| async move {
        let mut bot = Bot::asking(&world, &ALL[..2]).await;
        let mut peers = Vec::new();
        for name in ["a", "b", "c", "d"] {
            peers.push(world.user(name).await);
        }
        assert_eq!(bot.told().await.len(), 4);
        world.worker.hub.all_registered();
        after(1.0).await;
        let gone = peers.swap_remove(0);
        gone.socket.feed(Incoming::Eof);
        assert!(gone.is_over().await);
        assert_eq!(bot.told().await, ["disconnected a"]);
        bot.says(&json!({"credit": {"n": 9}}));
        after(1.0).await;
        assert_eq!(bot.told().await, ["connected b", "connected c", "connected d"]);
    });
}
