use super::*;

#[test]
fn user_headers_become_tags_and_those_for_the_gateway_do_not() {
    let frame = "SEND\ndestination:/topic/a\nreceipt:r\ncontent-length:2\npriority:9\nmessage-id:m\nsubscription:s\nack:k\n\nhi";
    assert_eq!(Page::alice().send(frame), ["2: publish a text hi priority=9"]);
    let lines = Page::alice().send("SEND\ndestination:/topic/a\nqueue:b\n\nhi");
    assert!(lines[0].contains("The header queue is reserved"), "{lines:?}");
}

#[test]
fn credentials_are_not_published() {
    for header in ["Authorization:Bearer t", "X-CSRF-TOKEN:t", "cookie:s=1", "login:guest", "PassCode:guest", "x-xsrf-token:t"] {
        let frame = format!("SEND\ndestination:/topic/a\n{header}\nk:v\n\nhi");
        assert_eq!(Page::alice().send(&frame), ["2: publish a text hi k=v"], "{header}");
    }
}

#[test]
fn the_kind_of_a_body_is_that_of_its_type_or_found() {
    for (headers, body, expected) in [
        ("", &b"{ \"a\": 1 }"[..], "JSON {\"a\":1}"),
        ("", b" [1]\n", "JSON [1]"),
        ("", b"1", "text 1"),
        ("", b"\"a\"", "text \"a\""),
        ("", b"{a", "text {a"),
        ("", b"", "text "),
        ("", b"\xff{}", "bytes \u{fffd}{}"),
        ("content-type:application/json\n", b"1", "JSON 1"),
        ("content-type:application/json;charset=UTF-8\n", b"{}", "JSON {}"),
        ("content-type:Application/JSON\n", b" null", "JSON null"),
        ("content-type:text/plain\n", b"{}", "text {} content-type=text/plain"),
        ("content-type:text/plain\n", b"\xff", "bytes \u{fffd} content-type=text/plain"),
        ("content-type:application/xml\n", b"<a/>", "text <a/> content-type=application/xml"),
        ("content-type:application/octet-stream\n", b"abc", "bytes abc content-type=application/octet-stream"),
    ] {
        let mut page = Page::alice();
        let length = body.len();
        let head = format!("SEND\ndestination:/topic/a\n{headers}content-length:{length}\n\n");
        let lines = page.send_raw(&[head.as_bytes(), body, b"\0"].concat());
        assert_eq!(lines, [format!("2: publish a {expected}")], "{headers}{}", body.escape_ascii());
    }
}

#[test]
fn a_receipt_follows_the_publish_and_not_the_order_of_frames() {
    let mut page = Page::alice();
    assert_eq!(page.send("SEND\ndestination:/topic/a\nreceipt:1\n\nx"), ["2: publish a text x"]);
    assert_eq!(page.send("SEND\ndestination:/topic/b\nreceipt:2\n\ny"), ["3: publish b text y"]);
    assert_eq!(page.answer(3, Reply::Publish), ["RECEIPT receipt-id:2"]);
    assert_eq!(page.answer(2, Reply::Publish), ["RECEIPT receipt-id:1"]);
    assert_eq!(page.answer(2, Reply::Publish), NOTHING, "an answer counts once");
}

#[test]
fn the_connection_is_not_read_while_too_much_is_in_flight() {
    let mut page = Page::alice();
    let frames = ["SEND\ndestination:/topic/a\n\nx"; 6].join("\0");
    assert_eq!(page.send(&frames).len(), 4);
    assert!(!page.translator.wants_input());
    assert_eq!(page.answer(2, Reply::Publish), ["6: publish a text x"]);
    assert_eq!(page.answer(3, Reply::Publish), ["7: publish a text x"]);
    assert!(!page.translator.wants_input());
    assert_eq!(page.answer(4, Reply::Publish), NOTHING);
    assert!(page.translator.wants_input());
}

#[test]
fn a_refused_publish_is_an_error_and_a_close() {
    let mut page = Page::alice();
    page.send("SEND\ndestination:/topic/a\nreceipt:r\n\nhi");
    let lines = page.answer(2, refused(ErrorCode::Overloaded, "Too much. Wait."));
    assert_eq!(lines.len(), 2);
    for part in ["ERROR", "message:Too much.", "receipt-id:r", "code:1002", "retryable:true", "| Too much. Wait."] {
        assert!(lines[0].contains(part), "{part}: {lines:?}");
    }
    assert_eq!(lines[1], "close 1002 Too much.");
    assert_eq!(page.send("SEND\ndestination:/topic/a\n\nhi"), NOTHING);
    assert_eq!(page.answer(3, Reply::Publish), NOTHING);
}

#[test]
fn what_came_before_a_bad_frame_is_answered_before_the_close() {
    let mut page = Page::alice();
    let frames = "SEND\ndestination:/topic/a\nreceipt:1\n\nx\0SEND\ndestination:/topic/b\nreceipt:2\n\ny\0HELLO\n\n\0SEND\n";
    assert_eq!(page.send(frames), ["2: publish a text x", "3: publish b text y"]);
    assert_eq!(page.send("SEND\ndestination:/topic/a\n\nlate"), NOTHING);
    assert_eq!(page.answer(3, Reply::Publish), ["RECEIPT receipt-id:2"]);
    let lines = page.answer(2, Reply::Publish);
    assert!(
        lines[0] == "RECEIPT receipt-id:1" && lines[1].contains("is no STOMP command") && lines[2].starts_with("close 1002"),
        "{lines:?}"
    );

    let mut page = Page::alice();
    page.send("SEND\ndestination:/topic/a\nreceipt:1\n\nx\0SEND\ndestination:/topic/b\nreceipt:2\n\ny");
    assert_eq!(page.answer(2, refused(ErrorCode::Overloaded, "First.")), NOTHING);
    let lines = page.answer(3, refused(ErrorCode::Overloaded, "Second."));
    assert!(lines[0].contains("receipt-id:2") && lines[1].contains("receipt-id:1"), "each refused frame has its ERROR: {lines:?}");
    assert_eq!(lines[2], "close 1002 First.");

    let mut page = Page::alice();
    page.send("SEND\ndestination:/topic/a\n\nx\0DISCONNECT\nreceipt:bye\n\n");
    let lines = page.answer(2, refused(ErrorCode::Overloaded, "Full."));
    assert!(lines.len() == 2 && lines[0].starts_with("ERROR") && lines[1] == "close 1002 Full.", "{lines:?}");

    let mut page = Page::alice();
    assert_eq!(page.send("SEND\ndestination:/topic/a\n\nx\0HELLO\n\n"), ["2: publish a text x"]);
    let mut steps = Vec::new();
    page.translator.closing(page.now, 3001, "shutdown", &mut steps);
    let lines = page.lines(steps);
    assert!(lines.len() == 1 && lines[0].contains("is no STOMP command"), "a close of the gateway does not hide it: {lines:?}");
}

#[test]
fn a_row_of_the_table_may_keep_the_connection() {
    let mut page = Page::with(|config| {
        let mut rule = DestinationRule::new("/topic/", Target::Channel { namespace: Some("chat".into()) });
        rule.after_refusal = AfterRefusal::Stay;
        config.destinations = DestinationTable::new(vec![rule]).expect("valid");
    })
    .sign_in("alice", CONNECT)
    .0;
    assert_eq!(page.send("SEND\ndestination:/topic/a\nreceipt:1\n\nhi"), ["2: publish chat:a text hi"]);
    assert_eq!(page.answer(2, refused(ErrorCode::BadRequest, "Only JSON.")).len(), 1);
    let lines = page.send("SEND\ndestination:/topic/a\nreceipt:2\ncontent-type:application/json\n\n{");
    assert!(lines.len() == 1 && lines[0].contains("receipt-id:2"), "{lines:?}");
    assert_eq!(page.send("SEND\ndestination:/topic/a\n\nhi"), ["3: publish chat:a text hi"]);
}
