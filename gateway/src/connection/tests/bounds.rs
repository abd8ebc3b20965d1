//! Bounds of a connection: turns, operations, memory and time.

use super::*;
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::Wake,
};

/// A waker that counts its calls.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn ping(id: usize) -> String {
    format!(r#"{{"id":{id},"ping":{{}}}}"#)
}

fn call(id: usize) -> String {
    format!(r#"{{"id":{id},"rpc":{{"method":"bot.say"}}}}"#)
}

fn history(id: usize) -> String {
    format!(r#"{{"id":{id},"history":{{"channel":"kept:a","limit":100}}}}"#)
}

#[test]
fn a_turn_ends_after_its_messages_or_its_bytes() {
    run(default_bounds(), |world| async move {
        let flood = Peer { socket: Socket::default(), task: tokio::task::spawn_local(async {}) };
        let (mut connection, wakes) = (world.connection(&flood.socket, Codec::Json), Arc::<Wakes>::default());
        let counted = wakes.clone().into();
        let mut turn = async || {
            settle().await;
            wakes.0.store(0, Relaxed);
            assert!(Pin::new(&mut connection).poll(&mut Context::from_waker(&counted)).is_pending());
            let answers = std::iter::from_fn(|| flood.socket.take(next_frame)).count();
            (answers, wakes.0.load(Relaxed) > 0)
        };
        flood.send(r#"{"id":1,"connect":{}}"#);
        assert_eq!(turn().await.0, 1);
        flood.send_bytes((0..10).flat_map(|id| frame(0x81, ping(id + 2).as_bytes())).collect::<Vec<_>>());
        let turns = [turn().await, turn().await, turn().await];
        assert_eq!(turns, [(4, true), (4, true), (2, false)], "a turn ends after four messages");
        let large = frame(0x81, format!(r#"{{"id":2,"ping":{{"x":"{}"}}}}"#, "x".repeat(700)).as_bytes());
        flood.send_bytes([large.clone(), large.clone(), large].concat());
        assert_eq!(
            [turn().await.0, turn().await.0, turn().await.0],
            [1, 1, 1],
            "a turn ends after 1000 bytes, which hold one message and a part of the next"
        );
    });
}

#[test]
fn a_flood_does_not_delay_replies_to_other_connections() {
    run(default_bounds(), |world| async move {
        let (flood, other) = (world.anonymous().await, world.anonymous().await);
        flood.send_bytes((0..1000).flat_map(|id| frame(0x81, ping(id + 2).as_bytes())).collect::<Vec<_>>());
        other.send(&ping(2));
        let (flooded, answered) = (flood.socket.clone(), other.socket.clone());
        let observer = tokio::task::spawn_local(async move {
            while answered.take(next_frame).is_none() {
                tokio::task::yield_now().await;
            }
            std::iter::from_fn(|| flooded.take(next_frame)).count()
        });
        let answered_flood = observer.await.expect("no panic");
        assert!(answered_flood <= 2 * 4, "{answered_flood} of the flood's replies preceded the other reply");
        // The flood has 250 turns, each in a round of its own.
        settle().await;
        assert!(flood.receive().await.len() + answered_flood == 1000, "every command of the flood receives a reply");
    });
}

#[test]
fn a_connection_with_too_many_operations_is_not_read_until_one_has_ended() {
    run(default_bounds(), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.anonymous().await;
        assert_eq!(alice.request(&format!("{}\n{}", call(2), call(3))).await, [""; 0]);
        let more = frame(0x81, ping(4).as_bytes());
        alice.send_bytes(more.clone());
        settle().await;
        assert_eq!(alice.socket.unread(), more.len(), "unread input stays in the socket");
        let called = bot.receive().await;
        bot.send(&json!({"reply": {"id": called["call"]["id"], "data": "first"}}));
        assert_eq!(alice.receive().await, [r#"{"id":2,"rpc":{"data":"first"}}"#, r#"{"id":4,"ping":{}}"#]);
        assert_eq!(alice.socket.unread(), 0);
    });
}

#[test]
fn commands_in_the_same_read_also_wait_for_an_operation_to_end() {
    run(default_bounds(), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.anonymous().await;
        alice.send_bytes([call(2), call(3), ping(4), ping(5)].iter().flat_map(|it| frame(0x81, it.as_bytes())).collect::<Vec<_>>());
        assert_eq!(alice.receive().await, [""; 0]);
        for answer in ["first", "second"] {
            let called = bot.receive().await;
            bot.send(&json!({"reply": {"id": called["call"]["id"], "data": answer}}));
            settle().await;
        }
        let expected = [r#"{"id":2,"rpc":{"data":"first"}}"#, &ping(4), &ping(5), r#"{"id":3,"rpc":{"data":"second"}}"#];
        assert_eq!(alice.receive().await, expected);
    });
}

#[test]
fn a_peer_that_accepts_no_replies_is_not_read_until_it_does() {
    run(default_bounds(), |world| async move {
        for n in 0..10 {
            world.publish("kept:a", &format!("{n} {}", "x".repeat(150))).await;
        }
        let alice = world.anonymous().await;
        alice.accept_bytes(0);
        for id in 2..5 {
            alice.send(&history(id));
            settle().await;
        }
        let more = frame(0x81, ping(5).as_bytes());
        alice.send_bytes(more.clone());
        settle().await;
        assert_eq!(alice.socket.unread(), more.len(), "replies fill more than half of the outbox");
        alice.accept_bytes(10);
        settle().await;
        assert_eq!(alice.socket.unread(), more.len(), "a partly sent frame still uses the outbox");
        alice.accept_all();
        let received = alice.receive().await;
        assert!(received[0].starts_with(r#"{"id":2,"history""#) && received[3] == ping(5), "{received:?}");
    });
}

#[test]
fn an_incomplete_message_closes_the_connection_after_the_timeout() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        let message = frame(0x81, ping(2).as_bytes());
        for byte in &message[..4] {
            alice.send_bytes([*byte]);
            elapse(1.0).await;
        }
        assert_eq!(alice.receive().await, [""; 0]);
        alice.send_bytes([message[4]]);
        elapse(2.0).await;
        assert_eq!(alice.receive().await, ["close 1008 message not complete in time"], "single bytes do not extend the time limit");
        assert_eq!(world.closed(Closed::Transport(TransportEnd::MessageTimeout)), 1);
    });
}

#[test]
fn the_message_timeout_does_not_apply_while_the_outbox_is_full() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        alice.request(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        let message = frame(0x81, ping(3).as_bytes());
        let (begun, rest) = message.split_at(10);
        alice.send_bytes(begun);
        settle().await;
        alice.accept_bytes(0);
        let text = "x".repeat(2000);
        world.publish("open:a", &text).await;
        settle().await;
        alice.send_bytes(rest);
        elapse(9.0).await;
        assert_eq!(alice.socket.unread(), rest.len(), "more than half of the outbox is full");
        alice.accept_all();
        assert_eq!(texts(&alice.receive().await), [text, ping(3)]);
    });
}

#[test]
fn the_message_timeout_starts_with_the_first_byte_of_each_message() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        let stream: Vec<u8> = (2..6).flat_map(|id| frame(0x81, ping(id).as_bytes())).collect();
        let each = stream.len() / 4;
        let mut received = Vec::new();
        let mut sent = 0;
        for end in [each / 2, each + each / 2, 2 * each + each / 2, 3 * each + each / 2, 4 * each] {
            alice.send_bytes(&stream[sent..end]);
            sent = end;
            elapse(3.5).await;
            received.extend(alice.receive().await);
        }
        assert_eq!(
            received,
            (2..6).map(ping).collect::<Vec<_>>(),
            "each message took less than five seconds, although some message was incomplete at all times"
        );
    });
}

#[test]
fn pauses_between_messages_are_unlimited_and_a_ping_does_not_extend_the_message_timeout() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        let (first, rest) = (frame(0x01, br#"{"id":2,"#), frame(0x80, br#""ping":{}}"#));
        alice.send_bytes(first.clone());
        elapse(4.0).await;
        alice.send_bytes(rest);
        assert_eq!(alice.receive().await, [ping(2)]);
        elapse(9.0).await;
        alice.send_bytes(first);
        elapse(4.0).await;
        alice.send_bytes(frame(0x89, b"?"));
        elapse(2.0).await;
        let received = alice.receive().await;
        assert_eq!(received[received.len() - 2..], ["pong ?", "close 1008 message not complete in time"]);
    });
}

#[test]
fn a_peer_that_accepts_single_bytes_exceeds_the_write_timeout() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        alice.request(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        alice.accept_bytes(0);
        for text in ["partly sent", "not sent"] {
            world.publish("open:a", text).await;
            settle().await;
        }
        for _ in 0..9 {
            elapse(1.0).await;
            alice.accept_bytes(1);
            assert_eq!(world.closed(Closed::Transport(TransportEnd::WriteTimeout)), 0);
        }
        elapse(2.0).await;
        assert_eq!(world.closed(Closed::Transport(TransportEnd::WriteTimeout)), 1);
        alice.accept_all();
        assert_eq!(texts(&alice.receive().await), ["partly sent", "close 3008 slow"]);
    });
}

#[test]
fn a_peer_that_accepts_frames_within_the_write_timeout_stays_connected() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        alice.request(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        for n in 0..3 {
            alice.accept_bytes(0);
            world.publish("open:a", &n.to_string()).await;
            elapse(7.0).await;
            alice.accept_all();
            assert_eq!(texts(&alice.receive().await).last(), Some(&n.to_string()));
        }
    });
}

#[test]
fn an_overflow_closes_with_3008_after_the_partly_sent_frame() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        alice.request(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        alice.accept_bytes(5);
        let text = |n: usize| format!("{n} {}", "x".repeat(450));
        for n in 0..5 {
            world.publish("open:a", &text(n)).await;
            settle().await;
        }
        assert_eq!(world.closed(Closed::Disconnect(Disconnect::Slow)), 0, "the outbox has room for five messages");
        for n in 5..8 {
            world.publish("open:a", &text(n)).await;
            settle().await;
        }
        assert_eq!(world.closed(Closed::Disconnect(Disconnect::Slow)), 1);
        assert!(world.worker.hub.budget().used() < 1000, "the outbox drops the other messages at once");
        let metrics = world.worker.hub.metrics();
        assert_eq!((metrics.counted(Count::Deliveries), metrics.overflows(OverflowPolicy::Disconnect)), (5, 1));
        let dropped = [DropCause::OutboxFull, DropCause::ConnectionClosed].map(|cause| metrics.drops(cause));
        assert_eq!(dropped, [1, 4 + 2], "four queued messages, and two messages after the close frame");
        alice.accept_all();
        assert_eq!(texts(&alice.receive().await), [text(0), "close 3008 slow".into()]);
        alice.send_bytes(close_frame(3008));
        assert!(alice.is_finished().await);
        world.assert_empty().await;
    });
}

#[test]
fn a_history_reply_uses_at_most_a_quarter_of_the_outbox() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        for n in 0..10 {
            world.publish("kept:a", &format!("{n} {}", "x".repeat(200))).await;
        }
        let received = alice.request(&[history(2), history(3)].join("\n")).await;
        assert_eq!(received.len(), 2, "{received:?}");
        for (id, answer) in (2..).zip(&received) {
            assert!(answer.starts_with(&format!(r#"{{"id":{id},"history""#)), "{answer}");
            assert_eq!(answer.matches(r#""offset":"#).count(), 3 + 1, "three publications, and the offset of the history");
        }
        assert_eq!(world.closed(Closed::Disconnect(Disconnect::Slow)), 0);
    });
}

#[test]
fn a_peer_that_accepts_nothing_after_an_overflow_is_cut() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        alice.request(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        alice.accept_bytes(0);
        for n in 0..10 {
            world.publish("open:a", &format!("{n} {}", "x".repeat(450))).await;
            settle().await;
        }
        elapse(3.5).await;
        assert!(alice.is_finished().await && alice.socket.is_aborted());
        world.assert_empty().await;
    });
}

#[test]
fn a_connection_without_a_connect_command_closes_after_the_timeout() {
    run(default_bounds(), |world| async move {
        let silent = world.open();
        elapse(9.5).await;
        assert_eq!(silent.receive().await, [""; 0]);
        elapse(2.0).await;
        assert_eq!(silent.receive().await, ["close 3502 stale"]);
        assert_eq!(world.closed(Closed::Disconnect(Disconnect::Stale)), 1);
    });
}

#[test]
fn a_connection_closes_once_its_peer_stops_answering_pings() {
    run(Bounds { ping_interval: Duration::from_secs(25), ..default_bounds() }, |world| async move {
        let alice = world.anonymous().await;
        let mut pings = 0;
        for _ in 0..200 {
            elapse(1.0).await;
            for received in alice.receive().await {
                assert_eq!(received, "{}");
                alice.send("{}");
                pings += 1;
            }
        }
        assert!((7..=9).contains(&pings), "{pings} pings in 200 s");
        elapse(35.5).await;
        let received = alice.receive().await;
        assert_eq!(received.last().map(String::as_str), Some("close 3012 no pong"), "{received:?}");
        assert_eq!(world.closed(Closed::Disconnect(Disconnect::NoPong)), 1);
    });
}

/// A large answer fills the outbox, so the pong stays in the socket.
#[test]
fn a_pong_that_is_not_read_is_not_missed() {
    run(Bounds { ping_interval: Duration::from_secs(25), ..default_bounds() }, |world| async move {
        for _ in 0..40 {
            world.publish("kept:a", r#""a text""#).await;
        }
        let (alice, mut waited) = (world.anonymous().await, 0);
        while alice.receive().await != ["{}"] {
            elapse(1.0).await;
            waited += 1;
            assert!(waited < 50, "no ping");
        }
        alice.accept_bytes(0);
        (2..6).for_each(|id| alice.send(&history(id)));
        alice.send("{}");
        elapse(9.5).await;
        assert!(alice.socket.unread() > 0);
        alice.accept_all();
        let answers = alice.receive().await;
        assert!(answers.iter().all(|answer| answer.contains(r#""history":{"#)), "{answers:?}");
        assert_eq!((answers.len(), world.closed(Closed::Disconnect(Disconnect::NoPong))), (4, 0));
    });
}
