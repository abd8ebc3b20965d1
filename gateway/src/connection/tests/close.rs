//! How connections close.

use super::*;

fn elsewhere() -> ServerCommand {
    ServerCommand::Disconnect { code: 4001, reason: "elsewhere".into() }
}

#[test]
fn a_close_frame_is_answered_with_the_same_code() {
    run(default_bounds(), |world| async move {
        for (close, answer) in [(close_frame(1000), "close 1000 "), (close_frame(4321), "close 4321 "), (frame(0x88, b""), "close")] {
            let alice = world.user("alice").await;
            alice.send_bytes(close);
            assert_eq!(alice.receive().await, [answer]);
            assert!(alice.is_finished().await && !alice.socket.is_aborted());
        }
        assert_eq!(world.closed(Closed::Transport(TransportEnd::PeerClosed)), 3);
        world.assert_empty().await;
    });
}

#[test]
fn queued_frames_are_sent_before_the_answer_to_a_close() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        alice.request(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#).await;
        alice.accept_bytes(3);
        world.publish("open:a", "last").await;
        alice.send_bytes(close_frame(1000));
        assert!(!alice.is_finished().await);
        world.publish("open:a", "too late").await;
        alice.accept_all();
        assert_eq!(texts(&alice.receive().await), ["last", "close 1000 "]);
        assert!(alice.is_finished().await);
    });
}

#[test]
fn a_service_closes_a_connection_and_the_peer_answers() {
    run(default_bounds(), |world| async move {
        let alice = world.user("alice").await;
        assert_eq!(world.command("alice", elsewhere()).await, 1);
        assert_eq!(alice.receive().await, ["close 4001 elsewhere"]);
        assert_eq!(alice.request(r#"{"id":9,"ping":{}}"#).await, [""; 0], "a closing connection answers no commands");
        world.command("alice", ServerCommand::Disconnect { code: 4002, reason: "again".into() }).await;
        assert_eq!(alice.receive().await, [""; 0], "only the first close frame is sent");
        assert!(!alice.is_finished().await, "the gateway waits for the peer's close frame");
        alice.send_bytes(close_frame(4001));
        assert!(alice.is_finished().await && !alice.socket.is_aborted());
        world.assert_empty().await;
    });
}

#[test]
fn a_message_in_the_form_of_the_other_encoding_closes_the_connection() {
    run(default_bounds(), |world| async move {
        for (codec, message, form) in [
            (Codec::Json, frame(0x82, &[0]), "JSON in text messages"),
            (Codec::Protobuf, frame(0x81, b"{}"), "Protobuf in binary messages"),
        ] {
            let peer = world.open_as(codec);
            peer.send_bytes(message.clone());
            let closed = peer.receive().await;
            assert!(matches!(&closed[..], [close] if close.starts_with(&format!("close 3506 this connection uses {form}"))), "{closed:?}");
            peer.send_bytes(message);
            assert_eq!(peer.receive().await, [""; 0], "a closing connection reads no messages");
            peer.send_bytes(close_frame(3506));
            assert!(peer.is_finished().await && !peer.socket.is_aborted());
        }
        assert_eq!(world.closed(Closed::with_code(3506)), 2);
        world.assert_empty().await;
    });
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_cut() {
    run(default_bounds(), |world| async move {
        for room in [None, Some(0)] {
            let alice = world.user("alice").await;
            alice.socket.set_room(room);
            world.command("alice", elsewhere()).await;
            elapse(1.5).await;
            assert!(!alice.is_finished().await);
            elapse(2.0).await;
            assert!(alice.is_finished().await && alice.socket.is_aborted());
        }
        world.assert_empty().await;
    });
}

#[test]
fn both_sides_may_close_at_the_same_time() {
    run(default_bounds(), |world| async move {
        let alice = world.user("alice").await;
        world.command("alice", elsewhere()).await;
        alice.send_bytes(close_frame(1001));
        assert_eq!(alice.receive().await.len(), 1, "each side sends one close frame");
        assert!(alice.is_finished().await && !alice.socket.is_aborted());
    });
}

#[test]
fn a_violation_closes_with_its_reason_and_later_input_is_discarded() {
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
        ("a reserved close code", &close_frame(1005), "close 1002 close code 1005 may not be sent", TransportEnd::ProtocolViolation),
        ("invalid UTF-8", &frame(0x81, b"a\xFFb"), "close 1007 text is not UTF-8", TransportEnd::InvalidText),
        ("a header that announces too many bytes", &too_large, "close 1009 the message is larger than 4096 bytes", TransportEnd::TooLarge),
    ] {
        run(default_bounds(), |world| async move {
            let alice = world.anonymous().await;
            alice.send_bytes([&frame(0x81, br#"{"id":2,"ping":{}}"#), sent, &frame(0x81, br#"{"id":3,"ping":{}}"#)].concat());
            assert_eq!(alice.receive().await, [r#"{"id":2,"ping":{}}"#, close], "{name}");
            assert_eq!(world.closed(Closed::Transport(end)), 1, "{name}");
            assert!(
                alice.socket.is_shut() && !alice.is_finished().await,
                "{name}: the gateway's side has shut down, and the gateway waits for the peer's"
            );
            alice.socket.feed(Incoming::Eof);
            assert!(alice.is_finished().await && !alice.socket.is_aborted(), "{name}");
            world.assert_empty().await;
        });
    }
}

#[test]
fn a_peer_that_stays_after_a_violation_is_cut() {
    run(default_bounds(), |world| async move {
        let alice = world.anonymous().await;
        alice.send_bytes(b"\x81\x02hi".repeat(1000));
        elapse(3.5).await;
        assert!(alice.is_finished().await && alice.socket.is_aborted());
    });
}

#[test]
fn invalid_commands_close_with_the_reason() {
    run(default_bounds(), |world| async move {
        for (sent, close) in [
            (frame(0x82, b"hi"), "close 3506 this connection uses JSON in text messages; offer centrifuge-protobuf for binary messages"),
            (frame(0x81, b"hi"), "close 3501 a frame is not valid JSON at byte 1"),
            (frame(0x81, br#"{"id":9}"#), "close 3501 a frame contains no known command"),
            (frame(0x81, br#"{"id":9,"connect":{}}"#), "close 3501 connect was sent twice"),
        ] {
            let alice = world.anonymous().await;
            alice.send_bytes([sent, frame(0x81, br#"{"id":2,"ping":{}}"#)].concat());
            assert_eq!(alice.receive().await, [close]);
            alice.send_bytes(close_frame(1000));
            assert!(alice.is_finished().await, "the connection still reads the peer's close frame");
        }
    });
}
