//! What a connection may take: turns, operations, memory and time.

use super::*;
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::Wake,
};

/// Counts its wakes.
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
    within(usual(), |world| async move {
        let flood = Peer { socket: Socket::default(), task: tokio::task::spawn_local(async {}) };
        let (mut connection, wakes) = (world.connection(&flood.socket), Arc::<Wakes>::default());
        let counted = wakes.clone().into();
        let mut turn = || {
            wakes.0.store(0, Relaxed);
            assert!(Pin::new(&mut connection).poll(&mut Context::from_waker(&counted)).is_pending());
            let answers = std::iter::from_fn(|| flood.socket.take(next_frame)).count();
            (answers, wakes.0.load(Relaxed) > 0)
        };
        flood.says(r#"{"id":1,"connect":{}}"#);
        assert_eq!(turn().0, 1);
        flood.sends((0..10).flat_map(|id| frame(0x81, ping(id + 2).as_bytes())).collect::<Vec<_>>());
        assert_eq!([turn(), turn(), turn()], [(4, true), (4, true), (2, false)], "four messages, then others get their turn");
        let large = frame(0x81, format!(r#"{{"id":2,"ping":{{"x":"{}"}}}}"#, "x".repeat(700)).as_bytes());
        flood.sends([large.clone(), large.clone(), large].concat());
        assert_eq!([turn().0, turn().0, turn().0], [1, 1, 1], "a thousand bytes hold one of these and a part of the next");
    });
}

#[test]
fn a_flood_does_not_keep_others_from_their_answers() {
    within(usual(), |world| async move {
        let (flood, other) = (world.anonymous().await, world.anonymous().await);
        flood.sends((0..1000).flat_map(|id| frame(0x81, ping(id + 2).as_bytes())).collect::<Vec<_>>());
        other.says(&ping(2));
        let (flooded, answered) = (flood.socket.clone(), other.socket.clone());
        let observer = tokio::task::spawn_local(async move {
            while answered.take(next_frame).is_none() {
                tokio::task::yield_now().await;
            }
            std::iter::from_fn(|| flooded.take(next_frame)).count()
        });
        let served = observer.await.expect("no panic");
        assert!(served <= 2 * 4, "{served} of the flood came before the other's");
        assert!(flood.hears().await.len() + served == 1000, "and all of it is answered in the end");
    });
}

#[test]
fn who_has_too_much_under_way_is_not_read_until_some_of_it_has_ended() {
    within(usual(), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.anonymous().await;
        assert_eq!(alice.asks(&format!("{}\n{}", call(2), call(3))).await, [""; 0]);
        let more = frame(0x81, ping(4).as_bytes());
        alice.sends(more.clone());
        settle().await;
        assert_eq!(alice.socket.unread(), more.len(), "it waits where it costs us nothing");
        let called = bot.hears().await;
        bot.says(&json!({"reply": {"id": called["call"]["id"], "data": "first"}}));
        assert_eq!(alice.hears().await, [r#"{"id":2,"rpc":{"data":"first"}}"#, r#"{"id":4,"ping":{}}"#]);
        assert_eq!(alice.socket.unread(), 0);
    });
}

#[test]
fn what_was_read_with_the_last_command_that_fits_waits_too() {
    within(usual(), |world| async move {
        let mut bot = Bot::open(&world).await;
        let alice = world.anonymous().await;
        alice.sends([call(2), call(3), ping(4), ping(5)].iter().flat_map(|it| frame(0x81, it.as_bytes())).collect::<Vec<_>>());
        assert_eq!(alice.hears().await, [""; 0]);
        for answer in ["first", "second"] {
            let called = bot.hears().await;
            bot.says(&json!({"reply": {"id": called["call"]["id"], "data": answer}}));
            settle().await;
        }
        let expected = [r#"{"id":2,"rpc":{"data":"first"}}"#, &ping(4), &ping(5), r#"{"id":3,"rpc":{"data":"second"}}"#];
        assert_eq!(alice.hears().await, expected);
    });
}

#[test]
fn who_takes_no_answers_is_not_read_until_it_does() {
    within(usual(), |world| async move {
        for n in 0..10 {
            world.publish("kept:a", &format!("{n} {}", "x".repeat(200))).await;
        }
        let alice = world.anonymous().await;
        alice.takes(0);
        for id in 2..5 {
            alice.says(&history(id));
            settle().await;
        }
        let more = frame(0x81, ping(5).as_bytes());
        alice.sends(more.clone());
        settle().await;
        assert_eq!(alice.socket.unread(), more.len(), "answers fill more than half of the outbox");
        alice.takes(10);
        settle().await;
        assert_eq!(alice.socket.unread(), more.len(), "a frame that is begun is not out");
        alice.takes_all();
        let heard = alice.hears().await;
        assert!(heard[0].starts_with(r#"{"id":2,"history""#) && heard[3] == ping(5), "{heard:?}");
    });
}

#[test]
fn a_message_has_to_be_complete_in_time() {
    within(usual(), |world| async move {
        let alice = world.anonymous().await;
        let message = frame(0x81, ping(2).as_bytes());
        for byte in &message[..4] {
            alice.sends([*byte]);
            after(1.0).await;
        }
        assert_eq!(alice.hears().await, [""; 0]);
        alice.sends([message[4]]);
        after(2.0).await;
        assert_eq!(alice.hears().await, ["close 1008 message not complete in time"], "that bytes trickle in is no excuse");
        assert_eq!(world.closed(Closed::Transport(TransportEnd::MessageTimeout)), 1);
    });
}

#[test]
fn a_message_that_is_not_read_for_want_of_room_cannot_be_late() {
    within(usual(), |world| async move {
        let alice = world.anonymous().await;
        alice.asks(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        let message = frame(0x81, ping(3).as_bytes());
        let (begun, rest) = message.split_at(10);
        alice.sends(begun);
        settle().await;
        alice.takes(0);
        let text = "x".repeat(2000);
        world.publish("open:a", &text).await;
        settle().await;
        alice.sends(rest);
        after(9.0).await;
        assert_eq!(alice.socket.unread(), rest.len(), "more than half of the outbox is full");
        alice.takes_all();
        assert_eq!(texts(&alice.hears().await), [text, ping(3)]);
    });
}

#[test]
fn the_time_for_a_message_begins_with_that_message() {
    within(usual(), |world| async move {
        let alice = world.anonymous().await;
        let stream: Vec<u8> = (2..6).flat_map(|id| frame(0x81, ping(id).as_bytes())).collect();
        let each = stream.len() / 4;
        let mut heard = Vec::new();
        let mut sent = 0;
        for end in [each / 2, each + each / 2, 2 * each + each / 2, 3 * each + each / 2, 4 * each] {
            alice.sends(&stream[sent..end]);
            sent = end;
            after(3.5).await;
            heard.extend(alice.hears().await);
        }
        assert_eq!(heard, (2..6).map(ping).collect::<Vec<_>>(), "each took less than five seconds, though one was always incomplete");
    });
}

#[test]
fn a_pause_between_messages_has_no_limit_but_a_ping_within_one_does_not_prolong_it() {
    within(usual(), |world| async move {
        let alice = world.anonymous().await;
        let (first, rest) = (frame(0x01, br#"{"id":2,"#), frame(0x80, br#""ping":{}}"#));
        alice.sends(first.clone());
        after(4.0).await;
        alice.sends(rest);
        assert_eq!(alice.hears().await, [ping(2)]);
        after(9.0).await;
        alice.sends(first);
        after(4.0).await;
        alice.sends(frame(0x89, b"?"));
        after(2.0).await;
        let heard = alice.hears().await;
        assert_eq!(heard[heard.len() - 2..], ["pong ?", "close 1008 message not complete in time"]);
    });
}

#[test]
fn who_takes_a_byte_now_and_then_is_cut_by_the_age_of_the_oldest() {
    within(usual(), |world| async move {
        let alice = world.anonymous().await;
        alice.asks(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        alice.takes(0);
        for text in ["begun", "not begun"] {
            world.publish("open:a", text).await;
            settle().await;
        }
        for _ in 0..9 {
            after(1.0).await;
            alice.takes(1);
            assert_eq!(world.closed(Closed::Transport(TransportEnd::WriteTimeout)), 0);
        }
        after(2.0).await;
        assert_eq!(world.closed(Closed::Transport(TransportEnd::WriteTimeout)), 1);
        alice.takes_all();
        assert_eq!(texts(&alice.hears().await), ["begun", "close 3008 slow"]);
    });
}

#[test]
fn who_takes_everything_late_but_in_time_stays() {
    within(usual(), |world| async move {
        let alice = world.anonymous().await;
        alice.asks(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        for n in 0..3 {
            alice.takes(0);
            world.publish("open:a", &n.to_string()).await;
            after(7.0).await;
            alice.takes_all();
            assert_eq!(texts(&alice.hears().await).last(), Some(&n.to_string()));
        }
    });
}

#[test]
fn an_outbox_that_overflows_ends_with_the_frame_that_is_begun_and_3008() {
    within(usual(), |world| async move {
        let alice = world.anonymous().await;
        alice.asks(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        alice.takes(5);
        let text = |n: usize| format!("{n} {}", "x".repeat(450));
        for n in 0..5 {
            world.publish("open:a", &text(n)).await;
            settle().await;
        }
        assert_eq!(world.closed(Closed::Disconnect(Disconnect::Slow)), 0, "five fit");
        for n in 5..8 {
            world.publish("open:a", &text(n)).await;
            settle().await;
        }
        assert_eq!(world.closed(Closed::Disconnect(Disconnect::Slow)), 1);
        assert!(world.worker.hub.budget().used() < 1000, "the others are given up at once");
        let metrics = world.worker.hub.metrics();
        assert_eq!((metrics.counted(Count::Deliveries), metrics.overflows(OverflowPolicy::Disconnect)), (5, 1));
        let dropped = [DropCause::OutboxFull, DropCause::ConnectionClosed].map(|cause| metrics.drops(cause));
        assert_eq!(dropped, [1, 4 + 2], "four that waited, and two that came behind the close");
        alice.takes_all();
        assert_eq!(texts(&alice.hears().await), [text(0), "close 3008 slow".into()]);
        alice.sends(close_frame(3008));
        assert!(alice.is_over().await);
        world.assert_empty().await;
    });
}

#[test]
fn an_answer_is_no_longer_than_its_part_of_the_outbox() {
    within(usual(), |world| async move {
        let alice = world.anonymous().await;
        for n in 0..10 {
            world.publish("kept:a", &format!("{n} {}", "x".repeat(200))).await;
        }
        let heard = alice.asks(&[history(2), history(3)].join("\n")).await;
        assert_eq!(heard.len(), 2, "{heard:?}");
        for (id, answer) in (2..).zip(&heard) {
            assert!(answer.starts_with(&format!(r#"{{"id":{id},"history""#)), "{answer}");
            assert_eq!(answer.matches(r#""offset":"#).count(), 3 + 1, "three publications, and the stream's own offset");
        }
        assert_eq!(world.closed(Closed::Disconnect(Disconnect::Slow)), 0);
    });
}

#[test]
fn who_takes_nothing_after_an_overflow_is_cut() {
    within(usual(), |world| async move {
        let alice = world.anonymous().await;
        alice.asks(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        alice.takes(0);
        for n in 0..10 {
            world.publish("open:a", &format!("{n} {}", "x".repeat(450))).await;
            settle().await;
        }
        after(3.5).await;
        assert!(alice.is_over().await && alice.socket.is_aborted());
        world.assert_empty().await;
    });
}

#[test]
fn who_does_not_connect_in_time_is_closed() {
    within(usual(), |world| async move {
        let silent = world.open();
        after(9.5).await;
        assert_eq!(silent.hears().await, [""; 0]);
        after(2.0).await;
        assert_eq!(silent.hears().await, ["close 3502 stale"]);
        assert_eq!(world.closed(Closed::Disconnect(Disconnect::Stale)), 1);
    });
}

#[test]
fn who_answers_pings_stays_and_who_stops_is_closed() {
    within(Bounds { ping_interval: Duration::from_secs(25), ..usual() }, |world| async move {
        let alice = world.anonymous().await;
        let mut pings = 0;
        for _ in 0..200 {
            after(1.0).await;
            for heard in alice.hears().await {
                assert_eq!(heard, "{}");
                alice.says("{}");
                pings += 1;
            }
        }
        assert!((7..=9).contains(&pings), "{pings} pings in 200 s");
        after(35.5).await;
        let heard = alice.hears().await;
        assert_eq!(heard.last().map(String::as_str), Some("close 3012 no pong"), "{heard:?}");
        assert_eq!(world.closed(Closed::Disconnect(Disconnect::NoPong)), 1);
    });
}
