//! Connections that end without a close frame. Each end leaves no state in the hub.

use super::*;

/// A connection of the user alice, subscribed to a channel with presence, with a call in progress.
async fn busy(world: &World) -> (Peer, Bot, Value) {
    let mut bot = Bot::open(world).await;
    let alice = world.user("alice").await;
    alice.request(r#"{"id":2,"subscribe":{"channel":"kept:a"}}"#).await;
    alice.request(r#"{"id":3,"rpc":{"method":"bot.say"}}"#).await;
    let called = bot.receive().await;
    (alice, bot, called["call"]["id"].clone())
}

#[test]
fn a_lost_peer_cancels_its_operations() {
    for (incoming, end) in [(Incoming::Eof, TransportEnd::PeerGone), (Incoming::Reset, TransportEnd::Reset)] {
        run(default_bounds(), |world| async move {
            let (alice, mut bot, call) = busy(&world).await;
            alice.socket.feed(incoming);
            assert!(alice.is_finished().await);
            assert_eq!(bot.receive().await, json!({"cancel": {"id": call}}));
            assert_eq!(world.closed(Closed::Transport(end)), 1);
            world.assert_empty().await;
        });
    }
}

#[test]
fn a_close_cancels_running_operations() {
    run(default_bounds(), |world| async move {
        let (alice, mut bot, call) = busy(&world).await;
        world.command("alice", ServerCommand::Disconnect { code: 4001, reason: "elsewhere".into() }).await;
        assert_eq!(bot.receive().await, json!({"cancel": {"id": call}}));
        assert!(!alice.is_finished().await, "the gateway still waits for the peer's close frame");
        alice.send_bytes(close_frame(4001));
        assert!(alice.is_finished().await);
        world.assert_empty().await;
    });
}

#[test]
fn an_end_before_the_connect_command_leaves_no_state() {
    run(default_bounds(), |world| async move {
        for bytes in [&b""[..], &frame(0x81, b"never complete")[..7]] {
            let peer = world.open();
            peer.send_bytes(bytes.to_vec());
            peer.socket.feed(Incoming::Eof);
            assert!(peer.is_finished().await);
        }
        world.assert_empty().await;
    });
}

#[test]
fn a_panic_in_a_connections_task_leaves_the_hub_clean() {
    run(default_bounds(), |world| async move {
        let watcher = world.anonymous().await;
        watcher.request(r#"{"id":2,"subscribe":{"channel":"kept:a","join_leave":true}}"#).await;
        let (alice, mut bot, call) = busy(&world).await;
        watcher.receive().await;
        alice.socket.feed(Incoming::Panic);
        settle().await;
        assert!(alice.task.await.expect_err("it panicked").is_panic());
        assert_eq!(bot.receive().await, json!({"cancel": {"id": call}}));
        let received = watcher.receive().await;
        assert!(received.len() == 1 && received[0].contains(r#""leave""#), "{received:?}");
        assert_eq!(world.closed(Closed::Transport(TransportEnd::Panicked)), 1);
        world.publish("kept:a", "still served").await;
        assert_eq!(texts(&watcher.receive().await), ["still served"]);
        watcher.socket.feed(Incoming::Eof);
        assert!(watcher.is_finished().await);
        world.assert_empty().await;
    });
}
