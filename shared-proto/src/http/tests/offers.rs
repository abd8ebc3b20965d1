//! Requests that offer to upgrade the connection.

use super::super::testing::{Client, OFFERS};
use super::server::shared;

/// Requests with the header lines `lines`, one for each kind of body, and the expected bodies of their responses.
fn requests(lines: &str) -> Vec<(String, &'static str)> {
    vec![
        (format!("GET /hello HTTP/1.1\r\nHost: a\r\n{lines}\r\n"), "hello"),
        (format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n{lines}\r\nabcde"), "abcde"),
        (format!("POST /echo HTTP/1.1\r\nHost: a\r\n{lines}Content-Length: 0\r\n\r\n"), ""),
        (
            format!(
                "POST /echo HTTP/1.1\r\nHost: a\r\n{lines}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: t\r\n\r\n"
            ),
            "abcde",
        ),
    ]
}

#[test]
fn an_offer_that_is_not_accepted_is_ignored_and_the_connection_stays_open() {
    for offer in OFFERS {
        let mut client = Client::connect(shared());
        for (request, body) in requests(offer).iter().chain(&requests("")) {
            let answer = client.request(request);
            assert_eq!((answer.status, &*answer.body), (200, *body), "{request}");
            assert!(!answer.head.contains("connection:") && !answer.head.contains("upgrade"), "{request}: {}", answer.head);
        }
    }
}

#[test]
fn an_offer_may_come_with_expect_100_continue() {
    for offer in OFFERS {
        let mut client = Client::connect(shared());
        for _ in 0..2 {
            client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n{offer}\r\n"));
            client.wait_continue();
            assert_eq!(client.request("abcde").body, "abcde", "{offer}");
        }
    }
}

#[test]
fn pipelined_requests_with_offers_are_answered_in_order() {
    let mut client = Client::connect(shared());
    let all: Vec<_> = OFFERS.iter().flat_map(|offer| requests(offer)).collect();
    client.send(all.iter().map(|(request, _)| request.as_str()).collect::<String>());
    for (request, body) in &all {
        assert_eq!(client.answer().body, *body, "{request}");
    }
}

#[test]
fn heads_and_bodies_may_come_in_pieces() {
    let mut client = Client::connect(shared());
    for offer in OFFERS {
        for (request, body) in requests(offer) {
            for byte in request.bytes() {
                client.send([byte]);
            }
            assert_eq!(client.answer().body, body, "{request}");
        }
    }
}

#[test]
fn empty_lines_before_a_request_are_ignored() {
    let mut client = Client::connect(shared());
    for (request, body) in requests(OFFERS[0]) {
        assert_eq!(client.request(format!("\r\n\r\n\n{request}\r\n")).body, body, "{request}");
    }
}

#[test]
fn connection_close_closes_the_connection() {
    for lines in ["Connection: close\r\n", "Connection: close, upgrade\r\nUpgrade: h2c\r\n", "Connection: upgrade\r\nConnection: close\r\n"]
    {
        let mut client = Client::connect(shared());
        let answer = client.request(format!("GET /hello HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
        assert!(answer.head.contains("connection: close\r\n"), "{lines}: {}", answer.head);
        assert!(client.is_closed(), "{lines}");
    }
}

#[test]
fn an_http_1_0_connection_stays_open_only_with_keep_alive() {
    let request = |lines: &str| {
        let mut client = Client::connect(shared());
        let answer = client.request(format!("GET /hello HTTP/1.0\r\n{lines}\r\n"));
        assert_eq!(answer.body, "hello", "{lines}");
        (client, answer.head.contains("connection: keep-alive\r\n"))
    };
    let (mut kept, is_kept) = request("Connection: keep-alive, upgrade\r\nUpgrade: h2c\r\n");
    assert!(is_kept);
    assert_eq!(kept.request("GET /hello HTTP/1.0\r\n\r\n").body, "hello");
    for lines in ["", "Connection: upgrade\r\nUpgrade: h2c\r\n"] {
        let (mut client, is_kept) = request(lines);
        assert!(!is_kept && client.is_closed(), "{lines}");
    }
}

#[test]
fn websocket_is_found_in_any_upgrade_list_at_a_path_that_accepts_it() {
    for (lines, arrives) in [
        ("Upgrade: websocket\r\n", r#"["websocket"]"#),
        ("Upgrade: WebSocket\r\n", r#"["WebSocket"]"#),
        ("Upgrade: websocket, h2c\r\n", r#"["websocket"]"#),
        ("Upgrade: h2c, websocket\r\n", r#"["websocket"]"#),
        ("Upgrade: h2c,websocket,TLS/1.0\r\n", r#"["websocket"]"#),
        ("Upgrade: h2c\r\nUpgrade: websocket\r\nUpgrade: TLS/1.0\r\n", r#"["websocket"]"#),
        ("Upgrade: h2c, websocket\r\nUpgrade: websocket\r\n", r#"["websocket"]"#),
        ("Upgrade: websocket/13\r\n", "[]"),
        ("Upgrade: xwebsocket\r\n", "[]"),
        ("Upgrade: h2c\r\n", "[]"),
        ("Upgrade: websocket\r\nTransfer-Encoding: chunked\r\n", "[]"),
    ] {
        for target in ["/socket", "/socket?a=b", "http://a/socket?a=b"] {
            let mut client = Client::connect(shared());
            let body = if lines.contains("chunked") { "0\r\n\r\n" } else { "" };
            let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n{lines}\r\n{body}");
            assert_eq!(client.request(&request).body, arrives, "{request}");
        }
    }
    let mut client = Client::connect(shared());
    assert_eq!(
        client.request("GET /socket HTTP/1.0\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n").body,
        "[]",
        "HTTP/1.0 has no upgrades"
    );
}
