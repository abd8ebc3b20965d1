//! Ends that nobody announced: all of them leave the hub clean.

use super::*;

/// Alice, in a channel that tells who is there, with a call under way.
async fn busy(world: &World) -> (Peer, Bot, Value) {
    let mut bot = Bot::open(world).await;
    let alice = world.user("alice").await;
    alice.asks(r#"{"id":2,"subscribe":{"channel":"kept:a"}}"#).await;
    alice.asks(r#"{"id":3,"rpc":{"method":"bot.say"}}"#).await;
    let called = bot.hears().await;
    (alice, bot, called["call"]["id"].clone())
}

#[test]
fn a_peer_that_is_gone_takes_its_operations_with_it() {
    for (incoming, end) in [(Incoming::Eof, TransportEnd::PeerGone), (Incoming::Reset, TransportEnd::Reset)] {
        within(usual(), |world| async move {
            let (alice, mut bot, call) = busy(&world).await;
            alice.socket.feed(incoming);
            assert!(alice.is_over().await);
            assert_eq!(bot.hears().await, json!({"cancel": {"id": call}}));
            assert_eq!(world.closed(Closed::Transport(end)), 1);
            world.assert_empty().await;
        });
    }
}

#[test]
fn a_close_cancels_what_is_under_way() {
    within(usual(), |world| async move {
        let (alice, mut bot, call) = busy(&world).await;
        world.command("alice", ServerCommand::Disconnect { code: 4001, reason: "elsewhere".into() }).await;
        assert_eq!(bot.hears().await, json!({"cancel": {"id": call}}));
        assert!(!alice.is_over().await, "the peer's close is still awaited");
        alice.sends(close_frame(4001));
        assert!(alice.is_over().await);
        world.assert_empty().await;
    });
}

#[test]
fn an_end_before_the_connect_command_leaves_nothing() {
    within(usual(), |world| async move {
        for bytes in [&b""[..], &frame(0x81, b"never whole")[..7]] {
            let peer = world.open();
            peer.sends(bytes.to_vec());
            peer.socket.feed(Incoming::Eof);
            assert!(peer.is_over().await);
        }
        world.assert_empty().await;
    });
}

#[test]
fn a_panic_in_a_connections_task_leaves_the_hub_clean() {
    within(usual(), |world| async move {
        let watcher = world.anonymous().await;
        watcher.asks(r#"{"id":2,"subscribe":{"channel":"kept:a","join_leave":true}}"#).await;
        let (alice, mut bot, call) = busy(&world).await;
        watcher.hears().await;
        alice.socket.feed(Incoming::Panic);
        settle().await;
        assert!(alice.task.await.expect_err("it panicked").is_panic());
        assert_eq!(bot.hears().await, json!({"cancel": {"id": call}}));
        let heard = watcher.hears().await;
        assert!(heard.len() == 1 && heard[0].contains(r#""leave""#), "{heard:?}");
        assert_eq!(world.closed(Closed::Transport(TransportEnd::Panicked)), 1);
        world.publish("kept:a", "still served").await;
        assert_eq!(texts(&watcher.hears().await), ["still served"]);
        watcher.socket.feed(Incoming::Eof);
        assert!(watcher.is_over().await);
        world.assert_empty().await;
    });
}
