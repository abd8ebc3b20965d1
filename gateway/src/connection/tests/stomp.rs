//! STOMP connections with a real session and hub.

use super::*;
use gateway_core::protocol::stomp::Framing;

/// A STOMP client's end of a connection.
struct Page {
    peer: Peer,
}

impl World {
    async fn page(&self, user: &str) -> Page {
        let token = match user {
            "" => String::new(),
            name => {
                let claims = ConnectionClaims::of(name.parse().expect("valid"));
                format!("Authorization:Bearer {}\n", self.worker.node.tokens.sign_connection(&claims, 0).expect("a key"))
            }
        };
        self.page_with(&format!("CONNECT\naccept-version:1.2\n{token}\n")).await
    }

    async fn page_with(&self, connect: &str) -> Page {
        let socket = Socket::default();
        let protocol = ChosenProtocol::Stomp { framing: Framing::WebSocket, token: None };
        let task = tokio::task::spawn_local(self.connection_of(&socket, protocol));
        let page = Page { peer: Peer { socket, task } };
        assert_eq!(page.ask(connect).await, ["CONNECTED"]);
        page
    }

    async fn publish_to_queue(&self, user: &str, queue: &str, text: &str) {
        let data = to_raw_value(text).expect("a string");
        let tags = [("queue".to_owned(), queue.to_owned())].into();
        let draft = Draft::parse(&format!("#{user}"), ContentBody::Json(data), tags, false).expect("valid");
        self.worker.node.publisher.publish(draft).await.expect("in memory");
    }
}

impl Page {
    /// Sends a frame, and returns what it causes.
    async fn ask(&self, frame: &str) -> Vec<String> {
        self.peer.send(&format!("{frame}\0"));
        self.received().await
    }

    /// Runs all ready tasks. Returns the received frames: command, what they are for, and the body.
    async fn received(&self) -> Vec<String> {
        settle().await;
        std::iter::from_fn(|| self.peer.socket.take(next_message)).collect()
    }

    /// The position of the newest message of a subscription, as the page would send it.
    async fn last_position(&self) -> String {
        settle().await;
        let texts = std::iter::from_fn(|| self.peer.socket.take(next_payload));
        let positions = texts.filter_map(|text| text.lines().find_map(|line| line.strip_prefix("x-position:").map(str::to_owned)));
        positions.last().expect("a position")
    }
}

fn next_payload(bytes: &[u8]) -> Option<(usize, String)> {
    let (at, length) = match *bytes {
        [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        [_, short, ..] => (2, usize::from(short)),
        _ => return None,
    };
    let payload = bytes.get(at..at + length)?;
    let text = match bytes[0] {
        0x88 => format!("close {}", u16::from_be_bytes([payload[0], payload[1]])),
        0x89 => "ping".to_owned(),
        _ => String::from_utf8(payload.to_vec()).expect("UTF-8"),
    };
    Some((at + length, text))
}

fn next_message(bytes: &[u8]) -> Option<(usize, String)> {
    let (length, text) = next_payload(bytes)?;
    let Some((head, body)) = text.split_once("\n\n") else { return Some((length, text)) };
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')));
    let command = head.lines().next().unwrap_or_default();
    let about = match command {
        "MESSAGE" => format!(" {}{}", header("subscription").unwrap_or_default(), header("x-gap").map_or("", |_| " gap")),
        "RECEIPT" => format!(" {}", header("receipt-id").unwrap_or_default()),
        "ERROR" => format!(" {}", header("code").unwrap_or_default()),
        _ => String::new(),
    };
    let body = if command == "MESSAGE" { body.trim_end_matches('\0') } else { "" };
    Some((length, format!("{command}{about} {body}").trim_end().to_owned()))
}

#[test]
fn a_page_gets_its_own_message_back_right_after_subscribing() {
    run(default_bounds(), |world| async move {
        let page = world.page("alice").await;
        page.peer.send("SUBSCRIBE\nid:1\ndestination:/topic/kept:a\n\n\0");
        let lines = page.ask("SEND\ndestination:/topic/kept:a\nreceipt:r\ncontent-type:application/json\n\n\"hi\"").await;
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.contains(&"MESSAGE 1 \"hi\"".to_owned()) && lines.contains(&"RECEIPT r".to_owned()), "{lines:?}");
        assert_eq!(page.ask("DISCONNECT\nreceipt:bye\n\n").await, ["RECEIPT bye", "close 1000"]);
    });
}

#[test]
fn several_subscriptions_to_one_channel_resume_each_from_its_own_position() {
    run(Bounds { in_flight: 8, outbox: 100_000, ..default_bounds() }, |world| async move {
        let page = world.page("").await;
        assert_eq!(page.ask("SUBSCRIBE\nid:1\ndestination:/topic/kept:a\nreceipt:r\nx-position:\n\n").await, ["RECEIPT r"]);
        world.publish("kept:a", "1").await;
        let first = page.last_position().await;
        world.publish("kept:a", "2").await;
        let second = page.last_position().await;
        drop(page);
        for text in ["3", "4", "5"] {
            world.publish("kept:a", text).await;
        }
        let page = world.page("").await;
        let resumed = page.ask(&format!("SUBSCRIBE\nid:b\ndestination:/topic/kept:a\nx-position:{second}\n\n")).await;
        assert_eq!(resumed, ["MESSAGE b \"3\"", "MESSAGE b \"4\"", "MESSAGE b \"5\""]);
        world.publish("kept:a", "6").await;
        assert_eq!(page.received().await, ["MESSAGE b \"6\""]);
        let resumed = page.ask(&format!("SUBSCRIBE\nid:a\ndestination:/queue/kept:a\nx-position:{first}\nreceipt:r\n\n")).await;
        let expected: Vec<_> = ["2", "3", "4", "5", "6"].map(|text| format!("MESSAGE a \"{text}\"")).into();
        assert_eq!(resumed, [vec!["RECEIPT r".to_owned()], expected].concat(), "b has all of it");
        world.publish("kept:a", "7").await;
        assert_eq!(page.received().await, ["MESSAGE b \"7\"", "MESSAGE a \"7\""]);
    });
}

#[test]
fn a_further_subscription_from_a_position_that_never_was_takes_nothing_from_the_others() {
    run(Bounds { in_flight: 8, outbox: 1_000_000, ..default_bounds() }, |world| async move {
        let page = world.page("").await;
        page.ask("SUBSCRIBE\nid:1\ndestination:/topic/kept:a\nx-position:\n\n").await;
        world.publish("kept:a", "1").await;
        let (epoch, _) =
            page.last_position().await.rsplit_once('-').map(|(epoch, offset)| (epoch.to_owned(), offset.len())).expect("a position");
        for (id, from) in [("far", format!("{epoch}-99999999")), ("foreign", "00000000-0".into())] {
            page.peer.send(&format!("SUBSCRIBE\nid:{id}\ndestination:/topic/kept:a\nx-position:{from}\n\n\0"));
            world.publish("kept:a", id).await;
            let lines = page.received().await;
            let begin = format!("MESSAGE {id} gap");
            assert!(lines.contains(&begin) && lines.contains(&format!("MESSAGE 1 \"{id}\"")), "{lines:?}");
            assert_eq!(lines.iter().filter(|line| line.contains("gap")).count(), 1, "{lines:?}");
        }
        world.publish("kept:a", "2").await;
        assert_eq!(page.received().await, ["MESSAGE 1 \"2\"", "MESSAGE far \"2\"", "MESSAGE foreign \"2\""]);
    });
}

#[test]
fn publications_during_the_change_of_a_subscription_reach_all_once() {
    run(Bounds { in_flight: 8, outbox: 1_000_000, ..default_bounds() }, |world| async move {
        let page = world.page("").await;
        page.ask("SUBSCRIBE\nid:1\ndestination:/topic/kept:a\nx-position:\n\n").await;
        world.publish("kept:a", "0").await;
        let start = page.last_position().await;
        let publishing = async {
            for number in 1..200 {
                world.publish("kept:a", &number.to_string()).await;
                tokio::task::yield_now().await;
            }
        };
        let subscribing = async {
            for id in 2..6 {
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                page.peer.send(&format!("SUBSCRIBE\nid:{id}\ndestination:/topic/kept:a\nx-position:{start}\n\n\0"));
            }
        };
        tokio::join!(publishing, subscribing);
        elapse(1.0).await;
        let received = page.received().await;
        for id in 1..6 {
            let mine: Vec<_> = received.iter().filter_map(|line| line.strip_prefix(&format!("MESSAGE {id} "))).collect();
            let expected: Vec<_> = (1..200).map(|number| format!("\"{number}\"")).collect();
            assert_eq!(mine, expected, "subscription {id}");
        }
    });
}

#[test]
fn queues_of_the_user_get_what_services_send_to_them() {
    run(Bounds { in_flight: 8, outbox: 100_000, ..default_bounds() }, |world| async move {
        let page = world.page("alice").await;
        for (id, queue) in [("m", "mail"), ("n", "news")] {
            assert_eq!(page.ask(&format!("SUBSCRIBE\nid:{id}\ndestination:/user/queue/{queue}\nreceipt:r\n\n")).await, ["RECEIPT r"]);
        }
        world.publish_to_queue("alice", "news", "1").await;
        world.publish_to_queue("alice", "other", "2").await;
        assert_eq!(page.received().await, ["MESSAGE n \"1\""]);
        let data = || gateway_core::model::Data::parse(&to_raw_value("direct").expect("a string")).expect("shallow");
        for queue in [Some("mail"), Some("none"), None] {
            world.command("alice", ServerCommand::Message { data: data(), queue: queue.map(Into::into) }).await;
        }
        assert_eq!(page.received().await, ["MESSAGE m \"direct\""]);
        assert_eq!(world.worker.hub.metrics().drops(DropCause::NoQueue), 2);
    });
}

#[test]
fn lost_publications_are_reported_to_those_that_asked() {
    run(Bounds { in_flight: 8, outbox: 100_000, ..default_bounds() }, |world| async move {
        let page = world.page("").await;
        page.ask("SUBSCRIBE\nid:asked\ndestination:/topic/open:a\nx-position:\n\n").await;
        page.ask("SUBSCRIBE\nid:silent\ndestination:/topic/open:a\n\n").await;
        // The mailbox of the worker overflows.
        for number in 0..3000 {
            world.publish("open:a", &number.to_string()).await;
        }
        elapse(1.0).await;
        let received = page.received().await;
        assert_eq!(received.iter().filter(|line| line.contains("gap")).collect::<Vec<_>>(), ["MESSAGE asked gap"]);
        assert_eq!(world.worker.hub.metrics().counted(Count::StompGapsUntold), 1);
        world.publish("open:a", "after").await;
        assert_eq!(page.received().await, ["MESSAGE asked \"after\"", "MESSAGE silent \"after\""]);
    });
}

#[test]
fn a_service_that_ends_a_subscription_closes_with_an_error() {
    run(Bounds { in_flight: 8, ..default_bounds() }, |world| async move {
        let page = world.page("alice").await;
        page.ask("SUBSCRIBE\nid:1\ndestination:/topic/open:a\n\n").await;
        let unsubscribe = ServerCommand::Unsubscribe { channel: "open:a".parse().expect("valid"), code: Unsubscribe::Server };
        assert_eq!(world.command("alice", unsubscribe).await, 1);
        assert_eq!(page.received().await, ["ERROR 103", "close 1002"]);
        page.peer.send_bytes(close_frame(1002));
        settle().await;
        drop(page);
        world.assert_empty().await;
    });
}

#[test]
fn heart_beats_come_in_time_and_a_silent_page_is_closed() {
    run(default_bounds(), |world| async move {
        let page = world.page_with("CONNECT\naccept-version:1.2\nheart-beat:4000,1000\n\n").await;
        for second in 0..6 {
            elapse(1.0).await;
            let beats = page.received().await;
            assert!(beats.len() <= 2 && beats.iter().all(|beat| beat == "\n"), "second {second}: {beats:?}");
            assert!(second == 0 || !beats.is_empty(), "second {second}");
        }
        elapse(3.5).await;
        let lines = page.received().await;
        assert_eq!(lines.last().map(String::as_str), Some("close 3012"), "silent for twice 4 s: {lines:?}");
    });
}

#[test]
fn violations_are_explained_before_the_close() {
    run(Bounds { in_flight: 8, ..default_bounds() }, |world| async move {
        let page = world.page("").await;
        page.peer.send_bytes(frame(0x83, b"x"));
        assert_eq!(page.received().await, ["ERROR 1002", "close 1002"]);
        let page = world.page("").await;
        let large = frame(0x81, &vec![b'x'; MESSAGE_SIZE as usize + 1]);
        page.peer.send_bytes(large);
        assert_eq!(page.received().await, ["ERROR 1009", "close 1009"]);
        let page = world.page("").await;
        page.peer.send_bytes(frame(0x01, b"SEND\n"));
        elapse(6.0).await;
        assert_eq!(page.received().await, ["ERROR 1008", "close 1008"], "the message is not complete in time");
    });
}

#[test]
fn a_frame_in_several_messages_has_the_time_of_a_message() {
    run(Bounds { in_flight: 8, outbox: 100_000, ..default_bounds() }, |world| async move {
        let page = world.page("").await;
        page.peer.send("SEND\ndestination:/topic/open:a\n\n{}\0SEND\n");
        for part in ["destination:/topic/open:a\n", "\n", "a"] {
            elapse(1.0).await;
            page.peer.send(part);
            assert_eq!(page.received().await, [""; 0]);
        }
        elapse(4.0).await;
        assert_eq!(page.received().await, ["ERROR 1008", "close 1008"]);
        let page = world.page("").await;
        page.peer.send("SEND\n");
        for _ in 0..10 {
            elapse(1.0).await;
            page.peer.send("destination:/topic/open:a\n\n{}\0SEND\n");
        }
        assert_eq!(page.received().await, [""; 0], "each frame has its own time");
    });
}

#[test]
fn a_page_that_is_sending_a_large_frame_is_not_silent() {
    run(Bounds { in_flight: 8, ..default_bounds() }, |world| async move {
        let page = world.page_with("CONNECT\naccept-version:1.2\nheart-beat:1000,0\n\n").await;
        let message = frame(0x81, b"SEND\ndestination:/topic/open:a\n\n{}\0");
        page.peer.send_bytes(&message[..10]);
        elapse(3.5).await;
        assert_eq!(page.received().await, [""; 0]);
        page.peer.send_bytes(&message[10..]);
        elapse(3.5).await;
        assert_eq!(page.received().await, ["close 3012"]);
    });
}

#[test]
fn the_last_frames_of_a_page_that_closes_at_once_are_carried_out() {
    run(Bounds { in_flight: 8, ..default_bounds() }, |world| async move {
        let mut bot = Bot::open(&world).await;
        let page = world.page("alice").await;
        page.peer.send("SEND\ndestination:/app/bot/leave\n\n{}\0");
        page.peer.send("DISCONNECT\n\n\0");
        page.peer.send_bytes(close_frame(1000));
        settle().await;
        assert_eq!(bot.receive().await["call"]["method"], "leave");
        elapse(1.0).await;
        assert_eq!(bot.events().await, [""; 0]);
        assert!(bot.from.try_recv().is_err(), "the call is not cancelled");
        drop(page);
        elapse(5.0).await;
        world.assert_empty().await;
    });
}

#[test]
fn many_frames_in_one_message_wait_for_the_session() {
    run(Bounds { in_flight: 1, outbox: 100_000, ..default_bounds() }, |world| async move {
        let page = world.page("alice").await;
        let frame = |i| format!("SEND\ndestination:/topic/kept:{i}\nreceipt:{i}\ncontent-type:application/json\n\n1\0");
        page.peer.send(&(0..40).map(frame).collect::<Vec<_>>().concat());
        let mut receipts: Vec<_> = page.received().await;
        for _ in 0..40 {
            receipts.extend(page.received().await);
        }
        let expected: Vec<_> = (0..40).map(|i| format!("RECEIPT {i}")).collect();
        assert_eq!(receipts, expected);
    });
}
