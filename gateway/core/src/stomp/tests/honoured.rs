//! What front ends of a Spring simple broker rely on, and what the gateway adds: one row for each, as far as the translator is responsible.

use super::*;

/// What the front end does, and the lines that it causes.
type Row = (&'static str, fn() -> Vec<String>, &'static [&'static str]);

fn alice(frames: &str) -> Vec<String> {
    Page::alice().send(frames)
}

/// Replies of calls are publications, as those of `@MessageMapping` methods are.
fn spring() -> Page {
    let call = CallTarget { service: Some("app".parse().expect("valid")), method: None, reply: Some("/topic/{method}".into()) };
    let rules =
        vec![DestinationRule::new("/app/", Target::Call(call)), DestinationRule::new("/topic/", Target::Channel { namespace: None })];
    Page::with(|config| config.destinations = DestinationTable::new(rules).expect("valid")).sign_in("alice", CONNECT).0
}

/// The lines of several inputs, one after the other.
fn all(parts: impl IntoIterator<Item = Vec<String>>) -> Vec<String> {
    parts.into_iter().flatten().collect()
}

const ROWS: &[Row] = &[
    (
        "/topic: SUBSCRIBE, and SEND to everybody, the sender included",
        || {
            let mut page = Page::alice();
            let frames = "SUBSCRIBE\nid:sub-0\ndestination:/topic/rooms/1\n\n\0SEND\ndestination:/topic/rooms/1\n\nhi";
            all([page.send(frames), page.answer(2, subscribed())])
        },
        &["2: subscribe rooms/1 for sub-0", "3: publish rooms/1 text hi"],
    ),
    (
        "/app: SEND to a service, the reply to /topic",
        || {
            let mut page = spring();
            all([
                page.send("SEND\ndestination:/app/hello\n\n{\"name\":\"x\"}"),
                page.answer(2, Reply::Rpc(data("{\"content\":\"Hello\"}"))),
            ])
        },
        &["2: call app.hello {\"name\":\"x\"}", "3: reply hello JSON {\"content\":\"Hello\"}"],
    ),
    (
        "/user/queue: the destination is shown as asked",
        || {
            let mut page = Page::alice().subscribed("1", "/user/queue/errors", 2);
            page.push(Push::Message { data: data("1"), queue: Some("errors".into()) })
        },
        &["MESSAGE subscription:1 destination:/user/queue/errors message-id:c-1 content-type:application/json | 1"],
    ),
    (
        "SUBSCRIBE /app: one reply",
        || {
            let mut page = spring();
            all([page.send("SUBSCRIBE\nid:1\ndestination:/app/state\n\n"), page.answer(2, Reply::Rpc(data("[]")))])
        },
        &["2: call app.state null", "MESSAGE subscription:1 destination:/app/state message-id:c-1 content-type:application/json | []"],
    ),
    ("no host, no login", || Page::new().send("CONNECT\naccept-version:1.2\n\n"), &["1: connect \"\""]),
    ("guest/guest means nothing", || Page::new().send("CONNECT\nlogin:guest\npasscode:guest\n\n"), &["1: connect \"\""]),
    ("a token in Authorization", || Page::new().send("CONNECT\nAuthorization:Bearer t\n\n"), &["1: connect \"t\""]),
    ("a token in the handshake", || Page::begin(config(), Framing::WebSocket, Some("t")).send("CONNECT\n\n"), &["1: connect \"t\""]),
    (
        "CONNECTED has session, user-name and heart-beat",
        || Page::new().sign_in("alice", "CONNECT\naccept-version:1.1\n\n").1,
        &["CONNECTED version:1.1 heart-beat:0,0 server:Switchboard/1 session:000102030405060708090a0b0c0d0e0f user-name:alice"],
    ),
    (
        "content-type and UTF-8 pass through",
        || alice("SEND\ndestination:/topic/a\ncontent-type:text/plain;charset=UTF-8\n\nü"),
        &["2: publish a text ü content-type=text/plain;charset=UTF-8"],
    ),
    (
        "user headers pass through, those of the protocol do not",
        || alice("SEND\ndestination:/topic/a\nx-user:1\ncontent-length:2\nreceipt:r\n\nhi"),
        &["2: publish a text hi x-user=1"],
    ),
    ("RECEIPT for DISCONNECT, then 1000", || alice("DISCONNECT\nreceipt:close-1\n\n"), &["RECEIPT receipt-id:close-1", "close 1000 "]),
    (
        "RECEIPT for every frame",
        || {
            let mut page = Page::alice().subscribed("1", "/topic/a", 2);
            let frames = [
                "SUBSCRIBE\nid:2\ndestination:/topic/a\nreceipt:a\n\n",
                "UNSUBSCRIBE\nid:2\nreceipt:b\n\n",
                "BEGIN\ntransaction:t\nreceipt:c\n\n",
                "SEND\ntransaction:t\ndestination:/topic/a\nreceipt:d\n\nhi",
                "ACK\nid:x\nreceipt:e\n\n",
                "NACK\nid:x\nreceipt:f\n\n",
                "ABORT\ntransaction:t\nreceipt:g\n\n",
                "BEGIN\ntransaction:u\nreceipt:h\n\n",
                "COMMIT\ntransaction:u\nreceipt:i\n\n",
            ];
            let lines = all(frames.map(|frame| page.send(frame)));
            lines.into_iter().filter(|line| line.starts_with("RECEIPT")).collect()
        },
        &[
            "RECEIPT receipt-id:a",
            "RECEIPT receipt-id:b",
            "RECEIPT receipt-id:c",
            "RECEIPT receipt-id:d",
            "RECEIPT receipt-id:e",
            "RECEIPT receipt-id:f",
            "RECEIPT receipt-id:g",
            "RECEIPT receipt-id:h",
            "RECEIPT receipt-id:i",
        ],
    ),
    (
        "heart-beats both ways, and an idle client is closed",
        || {
            let (mut page, mut lines) = Page::new().sign_in("", "CONNECT\nheart-beat:1000,1000\n\n");
            lines.extend(page.wait(2000));
            lines
        },
        &[
            "CONNECTED version:1.0 heart-beat:1000,1000 server:Switchboard/1 session:000102030405060708090a0b0c0d0e0f",
            "beat",
            "close 3012 no heart-beat in time",
        ],
    ),
    (
        "an unknown destination may have no effect",
        || {
            let mut page = Page::with(|config| config.unknown_destination = UnknownDestination::Ignore).sign_in("", CONNECT).0;
            all([page.send("SUBSCRIBE\nid:1\ndestination:/other/a\n\n"), page.send("SEND\ndestination:/other/a\n\nhi")])
        },
        &[],
    ),
    (
        "several frames in a message, a frame in several, line ends between",
        || {
            let mut page = Page::alice();
            let first = page.send_raw(b"\n\nSEND\ndestination:/topic/a\n\n1\0\nSEND\r\ndestination:/topic/a\r\n\r\n2\0\nSEND\ndest");
            all([first, page.send_raw(b"ination:/topic/a\n\n"), page.send_raw(b"3\0\n")])
        },
        &["2: publish a text 1", "3: publish a text 2", "4: publish a text 3"],
    ),
    (
        "a resumed subscription gets what it missed",
        || {
            let mut page = Page::alice();
            page.send("SUBSCRIBE\nid:1\ndestination:/topic/a\nx-position:abcd1234-6\n\n");
            page.answer(2, recovered(Recovery::Recovered, &[7]))
        },
        &["MESSAGE subscription:1 destination:/topic/a message-id:abcd1234-7 x-position:abcd1234-7 content-type:application/json | {}"],
    ),
];

#[test]
fn every_row_is_honoured() {
    for (row, run, expected) in ROWS {
        assert_eq!(run(), *expected, "{row}");
    }
}
