use super::*;

#[test]
fn the_highest_version_of_both_is_agreed_upon() {
    for (accepted, version) in [
        ("accept-version:1.2,1.1,1.0", "1.2"),
        ("accept-version:1.0,1.1,1.2", "1.2"),
        ("accept-version:1.1,1.0", "1.1"),
        ("accept-version:1.1,1.2", "1.2"),
        ("accept-version: 1.1 ,9.9", "1.1"),
        ("x:", "1.0"),
    ] {
        let (_, lines) = Page::new().sign_in("", &format!("CONNECT\n{accepted}\n\n"));
        let expected = format!("CONNECTED version:{version} heart-beat:0,0 server:Switchboard/1 session:{CLIENT}");
        assert_eq!(lines, [expected], "{accepted}");
    }
    let lines = Page::new().send("STOMP\naccept-version:1.3,2.0\n\n");
    assert!(lines[0].contains(" version:1.0,1.1,1.2") && lines[0].contains(" code:107"), "{lines:?}");
    assert!(lines[1].starts_with("close 1002"));
}

#[test]
fn connected_names_the_user_unless_anonymous() {
    let (_, lines) = Page::new().sign_in("alice", "CONNECT\naccept-version:1.2\nhost:h\nheart-beat:10000,20000\n\n");
    assert_eq!(lines, [format!("CONNECTED version:1.2 heart-beat:20000,10000 server:Switchboard/1 session:{CLIENT} user-name:alice")]);
}

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln-_";

#[test]
fn the_token_is_that_of_authorization_else_of_a_passcode_else_of_the_handshake() {
    let (authorization, passcode) = (format!("Authorization:Bearer {TOKEN}"), format!("passcode:{TOKEN}"));
    for (headers, expected) in [
        (authorization.clone(), TOKEN),
        ("authorization:bearer t".into(), "t"),
        (format!("Authorization:{TOKEN}"), TOKEN),
        ("Authorization:Basic Z3Vlc3Q6Z3Vlc3Q=".into(), "handshake"),
        ("Authorization:Bearer ".into(), "handshake"),
        (passcode.clone(), TOKEN),
        (format!("Authorization:Bearer t\n{passcode}"), "t"),
        ("login:guest\npasscode:guest".into(), "handshake"),
        ("login:a\npasscode:1.2.3".into(), "handshake"),
        ("login:a\npasscode:eyJ.a".into(), "handshake"),
        ("host:h".into(), "handshake"),
    ] {
        let mut page = Page::begin(config(), Framing::WebSocket, Some("handshake"));
        assert_eq!(page.send(&format!("CONNECT\naccept-version:1.2\n{headers}\n\n")), [format!("1: connect {expected:?}")], "{headers}");
    }
    assert_eq!(Page::new().send("CONNECT\nlogin:guest\npasscode:guest\n\n"), ["1: connect \"\""]);
}

#[test]
fn other_headers_of_connect_go_on_to_services() {
    let connect = "CONNECT\naccept-version:1.2\nhost:h\nlogin:a\npasscode:b\nheart-beat:0,0\nX-CSRF-TOKEN:c\nAuthorization:Basic d\n\n";
    assert_eq!(Page::new().send(connect), ["1: connect \"\" X-CSRF-TOKEN=c"]);
}

#[test]
fn a_refused_connect_is_an_error_that_clients_can_read_without_escapes() {
    let mut page = Page::new();
    page.send(CONNECT);
    let lines = page.answer(1, refused(ErrorCode::Unauthorized, "no token: send one. See the page."));
    let error = "ERROR message:no token, send one. code:101 retryable:false content-type:text/plain";
    assert_eq!(lines, [format!("{error} | no token: send one. See the page."), "close 1002 no token, send one.".into()]);
    assert_eq!(page.send(CONNECT), NOTHING);

    let mut page = Page::new();
    page.send(CONNECT);
    let lines = page.answer(1, Reply::CallFailed { code: 4711, message: "not today".into(), temporary: true });
    assert!(lines[0].contains(" code:4711 retryable:true"), "{lines:?}");
}

#[test]
fn frames_in_the_message_of_connect_wait_for_connected() {
    let mut page = Page::new();
    assert_eq!(page.send(&format!("{CONNECT}\0SEND\ndestination:/topic/a\n\nhi")), ["1: connect \"\""]);
    assert!(!page.translator.wants_input());
    let connected = Connected {
        client: CLIENT.parse().expect("valid"),
        time_ms: 0,
        node: "n1".into(),
        session: None,
        ping: None,
        pong: true,
        ttl: None,
        data: None,
        subs: Vec::new(),
    };
    let lines = page.answer(1, Reply::Connect(Box::new(connected)));
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1], "2: publish a text hi");
}

#[test]
fn a_close_is_explained_unless_the_client_only_has_to_connect_again() {
    for (code, is_notified) in
        [(1009, true), (3001, false), (3012, false), (3499, false), (3500, true), (3503, true), (4000, false), (4500, true)]
    {
        let (mut page, mut steps) = (Page::alice(), Vec::new());
        page.translator.closing(page.now, code, "go away", &mut steps);
        let lines = page.lines(steps);
        let expected = format!("ERROR message:go away code:{code} retryable:false content-type:text/plain | go away");
        assert_eq!(lines, if is_notified { vec![expected] } else { vec![] }, "{code}");
        assert_eq!(page.send("SEND\ndestination:/topic/a\n\n"), NOTHING);
    }
}

#[test]
fn disconnect_waits_for_what_is_in_flight() {
    let mut page = Page::alice();
    assert_eq!(page.send("SEND\ndestination:/topic/a\nreceipt:s\n\nhi"), ["2: publish a text hi"]);
    assert_eq!(page.send("DISCONNECT\nreceipt:bye\n\n\0SEND\ndestination:/topic/a\n\nlate"), NOTHING);
    assert_eq!(page.answer(2, Reply::Publish), ["RECEIPT receipt-id:s", "RECEIPT receipt-id:bye", "close 1000 "]);
    assert_eq!(page.send("DISCONNECT\n\n"), NOTHING);
    assert_eq!(Page::alice().send("DISCONNECT\n\n"), ["close 1000 "]);
    assert_eq!(Page::alice().send("DISCONNECT\nreceipt:close-1\n\n"), ["RECEIPT receipt-id:close-1", "close 1000 "]);
}

#[test]
fn the_page_shows_the_phases_of_a_stomp_connection() {
    const PAGE: &str = include_str!("../../../../../docs/state-machines.md");
    let expected = phases::PHASES.markdown();
    assert!(PAGE.contains(&expected), "docs/state-machines.md does not contain this text:\n{expected}");
}

#[test]
fn sockjs_messages_are_arrays_of_texts_in_both_directions() {
    let mut page = Page::begin(config(), Framing::SockJs, None);
    let mut steps = Vec::new();
    page.translator.message(page.now, Payload::Text(r#"["CONNECT\naccept-version:1.1\n\n","\u0000"]"#), &mut steps);
    assert_eq!(page.lines(steps), ["1: connect \"\""]);
    let mut steps = Vec::new();
    page.translator.message(page.now, Payload::Binary(b"x"), &mut steps);
    let lines = page.lines(steps);
    assert!(lines[0].starts_with("ERROR message:a message is no SockJS message"), "{lines:?}");
}

#[test]
fn frames_and_connections_are_printed_without_tokens() {
    for token in ["Authorization:Bearer s3cr3t-2", "passcode:eyJh.s3cr3t.A", "X-Own:s3cr3t-3", "receipt:r"] {
        let mut page = Page::begin(config(), Framing::WebSocket, Some("s3cr3t-1"));
        let (mut steps, mut shown) = (Vec::new(), format!("{:?}", page.translator));
        let frame = format!("CONNECT\naccept-version:1.2\n{token}\n\n\0");
        page.translator.message(page.now, Payload::Binary(frame.as_bytes()), &mut steps);
        shown.extend([format!("{steps:?} {:?}", page.translator)]);
        assert!(shown.contains("AwaitingConnect(Some((a secret)))") && shown.contains("Connect(ConnectRequest {"), "{shown}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}
