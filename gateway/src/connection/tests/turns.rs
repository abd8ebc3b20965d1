//! Connections that cause much work at the same moment, and another one beside them.

use super::*;
use tokio::task::yield_now;

/// Connections at the same moment. Their limits allow one turn in a round for those that go on, and one end.
const MANY: usize = 50;

/// Sends a ping and runs tasks until its reply. Nothing else is waited for.
async fn ping(peer: &Peer) {
    peer.send(r#"{"id":9,"ping":{}}"#);
    for _ in 0..1000 {
        if let Some(lines) = peer.socket.take(next_frame) {
            return assert_eq!(lines, [r#"{"id":9,"ping":{}}"#]);
        }
        yield_now().await;
    }
    panic!("no reply");
}

async fn crowd(world: &World) -> Vec<Peer> {
    let mut peers = Vec::new();
    for _ in 0..MANY {
        let peer = world.anonymous().await;
        peer.request(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        peers.push(peer);
    }
    peers
}

#[test]
fn a_reply_waits_for_a_few_turns_of_many_floods() {
    run(default_bounds(), |world| async move {
        let (floods, other) = (crowd(&world).await, world.anonymous().await);
        let pings = (0..40).flat_map(|_| frame(0x81, br#"{"id":3,"ping":{}}"#)).collect::<Vec<_>>();
        for flood in &floods {
            flood.send_bytes(pings.clone());
        }
        let answered = || floods.iter().map(|flood| std::iter::from_fn(|| flood.socket.take(next_frame)).count()).sum::<usize>();
        let mut before = 0;
        for _ in 0..100 {
            if before < MANY * limits().turn_messages {
                yield_now().await;
                before += answered();
            }
        }
        assert!(before >= MANY * limits().turn_messages, "each has had its first turn");
        ping(&other).await;
        let meanwhile = answered();
        assert!(meanwhile <= 5 * limits().turn_messages, "{meanwhile} of {MANY} floods' commands came first");
        let mut all = before + meanwhile;
        for _ in 0..10 {
            settle().await;
            all += answered();
        }
        assert_eq!(all, MANY * 40);
    });
}

#[test]
fn a_reply_waits_for_a_few_of_many_large_answers() {
    run(Bounds { outbox: 1 << 16, ..default_bounds() }, |world| async move {
        for _ in 0..40 {
            world.publish("kept:a", "1").await;
        }
        let (readers, other) = (crowd(&world).await, world.anonymous().await);
        let answered = || readers.iter().filter(|reader| reader.socket.take(next_frame).is_some()).count();
        let read = r#"{"id":3,"history":{"channel":"kept:a","limit":40}}"#;
        for round in 0..2 {
            for reader in &readers {
                reader.send(read);
            }
            ping(&other).await;
            let before = answered();
            assert!(round == 0 || before <= 5, "{before} of {MANY} answers came first");
            let mut all = before;
            for _ in 0..10 {
                settle().await;
                all += answered();
            }
            assert_eq!(all, MANY);
        }
    });
}

/// Only their next commands take turns.
#[test]
fn deliveries_after_large_answers_take_no_turns() {
    run(Bounds { outbox: 1 << 16, ..default_bounds() }, |world| async move {
        for _ in 0..40 {
            world.publish("kept:a", "1").await;
        }
        let read = r#"{"id":3,"history":{"channel":"kept:a","limit":40}}"#;
        let (readers, flood) = (crowd(&world).await, world.anonymous().await);
        let mut streams = Vec::new();
        for _ in 0..MANY {
            let (stream, key) = world.lines().await;
            world.post(key, "{\"id\":2,\"subscribe\":{\"channel\":\"open:a\"}}").await;
            world.post(key, read).await;
            assert_eq!(stream.receive().await.len(), 2);
            streams.push((stream, key));
        }
        for reader in &readers {
            assert_eq!(reader.request(read).await.len(), 1);
        }
        world.publish("open:a", "2").await;
        flood.send_bytes((0..80).flat_map(|_| frame(0x81, br#"{"id":3,"ping":{}}"#)).collect::<Vec<_>>());
        let mut answers = 0;
        for _ in 0..60 {
            yield_now().await;
            answers += std::iter::from_fn(|| flood.socket.take(next_frame)).count();
        }
        assert_eq!(answers, 80, "the flood waited for other turns than its own 20");
        for (reader, (stream, _)) in readers.iter().zip(&streams) {
            assert_eq!((reader.receive().await.len(), stream.receive().await.len()), (1, 1));
        }
    });
}

#[test]
fn a_reply_waits_for_a_few_of_many_ends() {
    run(default_bounds(), |world| async move {
        let (leaving, other) = (crowd(&world).await, world.anonymous().await);
        for peer in &leaving {
            peer.socket.feed(Incoming::Eof);
        }
        ping(&other).await;
        let left = world.worker.hub.connections();
        assert!(left >= MANY - 5, "only {left} of {MANY} are left");
        settle().await;
        assert_eq!((world.worker.hub.connections(), world.closed(Closed::Transport(TransportEnd::PeerGone))), (1, MANY as u64));
        other.socket.feed(Incoming::Eof);
        assert!(other.is_finished().await);
        world.assert_empty().await;
    });
}

#[test]
fn a_reply_waits_for_a_few_closes_of_many_slow_readers() {
    run(default_bounds(), |world| async move {
        let (slow, other) = (crowd(&world).await, world.anonymous().await);
        for peer in &slow {
            peer.accept_bytes(0);
        }
        let closed = || world.closed(Closed::with_code(3008)) as usize;
        let text = format!("\"{}\"", "x".repeat(900));
        for _ in 0..20 {
            if world.worker.hub.metrics().drops(DropCause::OutboxFull) == 0 {
                world.publish("open:a", &text).await;
                yield_now().await;
            }
        }
        ping(&other).await;
        assert!(closed() <= 10, "{} of {MANY} closed first", closed());
        settle().await;
        assert_eq!(closed(), MANY);
    });
}

#[test]
fn a_connection_that_closes_frees_its_incomplete_message() {
    run(default_bounds(), |world| async move {
        let (alice, used) = (world.user("alice").await, || world.worker.work_budget.used());
        let message = frame(0x81, format!(r#"{{"id":2,"ping":{{"x":"{}"}}}}"#, "x".repeat(4000)).as_bytes());
        let (begun, rest) = message.split_at(3000);
        alice.send_bytes(begun);
        settle().await;
        assert!(used() >= 2900, "{} bytes", used());
        world.command("alice", ServerCommand::Disconnect { code: 4001, reason: "elsewhere".into() }).await;
        assert!(!alice.is_finished().await, "the gateway waits for the close frame of the peer");
        assert_eq!(used(), 0);
        alice.send_bytes([rest, &close_frame(4001)].concat());
        assert!(alice.is_finished().await, "the rest of the message is read");
        world.assert_empty().await;
    });
}
