//! How connections close.

use super::*;

fn elsewhere() -> ServerCommand {
    ServerCommand::Disconnect { code: 4001, reason: "elsewhere".into() }
}

#[test]
fn a_peer_that_closes_is_answered_with_its_own_code() {
    within(usual(), |world| async move {
        for (close, answer) in [(close_frame(1000), "close 1000 "), (close_frame(4321), "close 4321 "), (frame(0x88, b""), "close")] {
            let alice = world.user("alice").await;
            alice.sends(close);
            assert_eq!(alice.hears().await, [answer]);
            assert!(alice.is_over().await && !alice.socket.is_aborted());
        }
        assert_eq!(world.closed(Closed::Transport(TransportEnd::PeerClosed)), 3);
        world.assert_empty().await;
    });
}

#[test]
fn what_waits_goes_out_before_the_answer_to_a_close() {
    within(usual(), |world| async move {
        let alice = world.anonymous().await;
        alice.asks(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        alice.takes(3);
        world.publish("open:a", "last").await;
        alice.sends(close_frame(1000));
        assert!(!alice.is_over().await);
        world.publish("open:a", "too late").await;
        alice.takes_all();
        assert_eq!(texts(&alice.hears().await), ["last", "close 1000 "]);
        assert!(alice.is_over().await);
    });
}

#[test]
fn a_service_closes_and_the_peer_answers() {
    within(usual(), |world| async move {
        let alice = world.user("alice").await;
        assert_eq!(world.command("alice", elsewhere()).await, 1);
        assert_eq!(alice.hears().await, ["close 4001 elsewhere"]);
        assert_eq!(alice.asks(r#"{"id":9,"ping":{}}"#).await, [""; 0], "nothing is answered any more");
        world.command("alice", ServerCommand::Disconnect { code: 4002, reason: "again".into() }).await;
        assert_eq!(alice.hears().await, [""; 0], "the first close counts");
        assert!(!alice.is_over().await, "it waits for the peer's close");
        alice.sends(close_frame(4001));
        assert!(alice.is_over().await && !alice.socket.is_aborted());
        world.assert_empty().await;
    });
}

#[test]
fn who_asks_for_another_form_of_the_protocol_is_told_at_once() {
    within(usual(), |world| async move {
        let socket = Socket::default();
        let mut connection = world.connection(&socket);
        connection.refuse_form();
        let peer = Peer { socket, task: tokio::task::spawn_local(connection) };
        assert_eq!(peer.hears().await, ["close 3506 the gateway supports only the JSON form of the protocol"]);
        peer.sends(frame(0x82, b"connect"));
        assert_eq!(peer.hears().await, [""; 0], "its connect is read past");
        peer.sends(close_frame(3506));
        assert!(peer.is_over().await && !peer.socket.is_aborted());
        assert_eq!(world.closed(Closed::with_code(3506)), 1);
        world.assert_empty().await;
    });
}

#[test]
fn who_does_not_answer_a_close_is_cut() {
    within(usual(), |world| async move {
        for takes in [None, Some(0)] {
            let alice = world.user("alice").await;
            alice.socket.make_room(takes);
            world.command("alice", elsewhere()).await;
            after(1.5).await;
            assert!(!alice.is_over().await);
            after(2.0).await;
            assert!(alice.is_over().await && alice.socket.is_aborted());
        }
        world.assert_empty().await;
    });
}

#[test]
fn both_may_close_at_once() {
    within(usual(), |world| async move {
        let alice = world.user("alice").await;
        world.command("alice", elsewhere()).await;
        alice.sends(close_frame(1001));
        assert_eq!(alice.hears().await.len(), 1, "each sends one close");
        assert!(alice.is_over().await && !alice.socket.is_aborted());
    });
}

#[test]
fn who_breaks_the_rules_is_told_which_and_understood_no_more() {
    let too_large = [0x81, 0xFE, 0x10, 0x01, 0, 0, 0, 0];
    for (name, sent, close, end) in [
        ("not masked", &b"\x81\x02hi"[..], "close 1002 the frame is not masked", TransportEnd::ProtocolViolation),
        (
            "a reserved bit",
            &frame(0xC1, b"hi"),
            "close 1002 a reserved bit is set, and no extension was negotiated",
            TransportEnd::ProtocolViolation,
        ),
        ("a reserved opcode", &frame(0x83, b"hi"), "close 1002 opcode 3 is reserved", TransportEnd::ProtocolViolation),
        ("a code nobody may send", &close_frame(1005), "close 1002 close code 1005 may not be sent", TransportEnd::ProtocolViolation),
        ("no UTF-8", &frame(0x81, b"a\xFFb"), "close 1007 text is not UTF-8", TransportEnd::InvalidText),
        ("too large, by the header alone", &too_large, "close 1009 the message is larger than 4096 bytes", TransportEnd::TooLarge),
    ] {
        within(usual(), |world| async move {
            let alice = world.anonymous().await;
            alice.sends([&frame(0x81, br#"{"id":2,"ping":{}}"#), sent, &frame(0x81, br#"{"id":3,"ping":{}}"#)].concat());
            assert_eq!(alice.hears().await, [r#"{"id":2,"ping":{}}"#, close], "{name}");
            assert_eq!(world.closed(Closed::Transport(end)), 1, "{name}");
            assert!(alice.socket.is_shut() && !alice.is_over().await, "{name}: our side has ended, and the peer's is awaited");
            alice.socket.feed(Incoming::Eof);
            assert!(alice.is_over().await && !alice.socket.is_aborted(), "{name}");
            world.assert_empty().await;
        });
    }
}

#[test]
fn who_breaks_the_rules_and_stays_is_cut() {
    within(usual(), |world| async move {
        let alice = world.anonymous().await;
        alice.sends(b"\x81\x02hi".repeat(1000));
        after(3.5).await;
        assert!(alice.is_over().await && alice.socket.is_aborted());
    });
}

#[test]
fn what_is_no_command_closes_with_the_reason() {
    within(usual(), |world| async move {
        for (sent, close) in [
            (frame(0x82, b"hi"), "close 3506 the gateway supports only the JSON form of the protocol"),
            (frame(0x81, b"hi"), "close 3501 a frame is not valid JSON at its byte 1"),
            (frame(0x81, br#"{"id":9}"#), "close 3501 a frame holds no known command"),
            (frame(0x81, br#"{"id":9,"connect":{}}"#), "close 3501 connect came twice"),
        ] {
            let alice = world.anonymous().await;
            alice.sends([sent, frame(0x81, br#"{"id":2,"ping":{}}"#)].concat());
            assert_eq!(alice.hears().await, [close]);
            alice.sends(close_frame(1000));
            assert!(alice.is_over().await, "its close is understood");
        }
    });
}
