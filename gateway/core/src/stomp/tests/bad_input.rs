use super::*;

/// What a client may not send, and a part of the sentence that it gets.
const REFUSED: &[(&str, &str)] = &[
    ("HELLO\n\n", "is no STOMP command"),
    ("CONNECT\naccept-version:1.2\n\n", "CONNECT was sent twice"),
    ("SEND\n\nhi", "SEND needs the header destination"),
    ("SEND\ndestination:\n\nhi", "SEND needs the header destination"),
    ("SEND\ndestination:topic/a\n\nhi", "is unknown"),
    ("SEND\ndestination:/topic/\n\nhi", "is empty"),
    ("SEND\ndestination:/topic/a b\n\nhi", "contains a character other than"),
    ("SEND\ndestination:/topic/#alice\n\nhi", "names a personal channel"),
    ("SEND\ndestination:/topic/a\ncontent-type:application/json\n\n{\"a\":", "not JSON at line 1, column 5"),
    ("SEND\ndestination:/topic/a\ntransaction:t\n\nhi", "No transaction \"t\" is open"),
    ("SEND\ndestination:/topic/a\ncontent-length:1\n\nhi", "NUL byte"),
    ("SEND\ndestination:/user/queue/a\n\nhi", "Clients may not SEND to /user/queue/a"),
    ("SEND\ndestination:/user/bob/queue/a\n\nhi", "Clients cannot send to users"),
    ("SEND\ndestination:/temp-queue/a\n\nhi", "no temporary queues"),
    ("SEND\ndestination:/exchange/amq.topic/a\n\nhi", "go to one consumer each"),
    ("SUBSCRIBE\nid:2\n\n", "SUBSCRIBE needs the header destination"),
    ("SUBSCRIBE\ndestination:/topic/b\n\n", "SUBSCRIBE needs the header id"),
    ("SUBSCRIBE\nid:1\ndestination:/topic/b\n\n", "The subscription \"1\" exists already"),
    ("SUBSCRIBE\nid:2\ndestination:/topic/b\nack:always\n\n", "The ack mode \"always\""),
    ("SUBSCRIBE\nid:2\ndestination:/topic/*\n\n", "no patterns"),
    ("SUBSCRIBE\nid:2\ndestination:/topic/a/{id}\n\n", "no patterns"),
    ("SUBSCRIBE\nid:2\ndestination:/topic/b\nselector:a = 1\n\n", "no selectors"),
    ("SUBSCRIBE\nid:2\ndestination:/queue/b\nx-queue-name:q\n\n", "shared by consumers"),
    ("SUBSCRIBE\nid:2\ndestination:/topic/b\ndurable:true\n\n", "shared by consumers"),
    ("SUBSCRIBE\nid:2\ndestination:/amq/queue/b\n\n", "go to one consumer each"),
    ("SUBSCRIBE\nid:2\ndestination:/temp-queue/b\n\n", "no temporary queues"),
    ("SUBSCRIBE\nid:2\ndestination:/topic/b\nx-position:7\n\n", "is no position"),
    ("SUBSCRIBE\nid:2\ndestination:/topic/b\nx-position:abcd1234--1\n\n", "is no position"),
    ("SUBSCRIBE\nid:2\ndestination:/user/queue/\n\n", "stands for no queue"),
    ("UNSUBSCRIBE\n\n", "UNSUBSCRIBE needs the header id"),
    ("UNSUBSCRIBE\ndestination:/topic/a\n\n", "UNSUBSCRIBE needs the header id"),
    ("BEGIN\n\n", "BEGIN needs the header transaction"),
    ("COMMIT\n\n", "COMMIT needs the header transaction"),
    ("COMMIT\ntransaction:t\n\n", "No transaction \"t\" is open"),
    ("ABORT\ntransaction:t\n\n", "No transaction \"t\" is open"),
    ("ACK\n\n", "ACK needs the header id"),
    ("BEGIN\ntransaction:t\n\nbody", "has a body"),
];

#[test]
fn bad_frames_are_an_error_then_a_close_and_change_nothing() {
    for (frame, part) in REFUSED {
        let mut page = Page::alice().subscribed("1", "/topic/a", 2);
        let lines = page.send(&format!("{frame}\0SEND\ndestination:/topic/a\n\nlate"));
        assert_eq!(lines.len(), 2, "{frame}: {lines:?}");
        assert!(lines[0].starts_with("ERROR message:") && lines[0].contains(part), "{frame}: {lines:?}");
        assert!(lines[0].contains(" content-type:text/plain") && lines[0].contains(" code:"), "{lines:?}");
        assert!(lines[1].starts_with("close 1002 ") && lines[1].len() <= "close 1002 ".len() + 123, "{lines:?}");
        assert_eq!(page.send("SEND\ndestination:/topic/a\n\nlate"), NOTHING, "{frame}");
    }
}

#[test]
fn refused_frames_of_calls_keep_the_connection() {
    for (frame, part) in [
        ("SEND\ndestination:/app/chat\n\n", "stands for no call"),
        ("SEND\ndestination:/app/Chat/say\n\n", "names no service"),
        ("SEND\ndestination:/app/chat/\n\n", "has no method"),
        ("SUBSCRIBE\nid:2\ndestination:/app/\n\n", "stands for no call"),
    ] {
        let mut page = Page::alice().subscribed("e", "/user/queue/errors", 2);
        let lines = page.send(frame);
        assert!(lines.len() == 1 && lines[0].starts_with("MESSAGE") && lines[0].contains(part), "{frame}: {lines:?}");
        assert_eq!(page.send("SEND\ndestination:/topic/a\n\nhi"), ["3: publish a text hi"]);
    }
}

#[test]
fn the_first_frame_has_to_be_connect() {
    for frame in ["SEND\ndestination:/topic/a\n\n", "SUBSCRIBE\nid:1\ndestination:/topic/a\n\n", "DISCONNECT\nreceipt:r\n\n", "x"] {
        let lines = Page::new().send(frame);
        assert!(lines.len() == 2 && lines[0].starts_with("ERROR") && lines[1].starts_with("close 1002"), "{frame}: {lines:?}");
    }
    let lines = Page::new().send("CONNECT\naccept-version:1.2\nheart-beat:1\n\n");
    assert!(lines[0].contains("heart-beat is not valid"), "{lines:?}");
}

#[test]
fn subscriptions_are_bounded() {
    let mut page = Page::alice();
    for id in 0..8 {
        page = page.subscribed(&id.to_string(), &format!("/topic/{id}"), id + 2);
    }
    let lines = page.send("SUBSCRIBE\nid:9\ndestination:/topic/1\n\n");
    assert!(lines[0].contains("code:106") && lines[0].contains("(stomp.max_subscriptions)"), "{lines:?}");
    for destination in ["/topic/a", "/user/queue/a"] {
        let mut page = Page::alice().subscribed("0", destination, 2);
        for id in 1..5 {
            assert_eq!(page.send(&format!("SUBSCRIBE\nid:{id}\ndestination:{destination}\n\n")).len(), 1);
        }
        let other = page.send("SUBSCRIBE\nid:other\ndestination:/user/queue/b\n\n");
        assert!(!other[0].starts_with("ERROR"), "{other:?}");
        page.answer(3, subscribed());
        let lines = page.send(&format!("SUBSCRIBE\nid:5\ndestination:{destination}\n\n"));
        assert!(lines[0].contains("code:106") && lines[0].contains("(stomp.subscriptions_per_channel)"), "{lines:?}");
    }
}
