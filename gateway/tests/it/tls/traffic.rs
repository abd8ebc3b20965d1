//! What passes through TLS: WebSockets, streams, REST and links.

use super::support::{NAME, PATH, VERSIONS, lines_until, next_data, pair, public, settings, subscribed, trusting};
use crate::{
    client::{Client, handshake, masked},
    public::start_with,
    store_errors::until,
};
use redis_testing::Authority;
use rustls::{HandshakeKind, version::TLS12};
use serde_json::json;

#[test]
fn websockets_streams_rest_and_links_pass_through_both_versions() {
    let authority = Authority::new();
    let own = pair(&authority.sign(&[NAME]));
    let (public, internal) = start_with(settings(&format!("[public.tls]\npairs = [{own}]\n[internal.tls]\npairs = [{own}]")));
    for version in VERSIONS {
        let config = trusting(&authority, &[version], None);
        let connect = |address| Client::connect(address).with_tls(config.clone(), NAME);
        let mut socket = subscribed(connect(public));
        let mut stream = connect(public);
        stream.send(b"GET /events?channel=news:c HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(stream.head().starts_with("HTTP/1.1 200 "));
        let mut rest = connect(internal);
        let tls = rest.handshake().expect("a handshake");
        assert_eq!(tls.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(tls.protocol_version(), Some(version.version));
        // Several records, several times over one connection.
        for data in ["x".repeat(60_000), "y".repeat(10)] {
            let body = json!({ "data": data }).to_string();
            rest.send(
                format!(
                    "POST /v1/channels/news:c/publications HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer dev\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\n\r\n{body}",
                    body.len()
                )
                .as_bytes(),
            );
            let (head, answer) = rest.answer();
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}{answer}");
            assert_eq!(next_data(&mut socket), json!(data));
            while !String::from_utf8_lossy(&stream.until(b"\n\n")).contains(&data) {}
        }
        let mut link = connect(internal);
        link.send(handshake("/v1/services/bot/link").replacen("\r\n\r\n", "\r\nAuthorization: Bearer dev\r\n\r\n", 1).as_bytes());
        assert!(link.head().starts_with("HTTP/1.1 101 "));
        link.send(&masked(0x81, br#"{"hello":{"service":"bot","instance":"i","credit":1}}"#));
        let welcome = lines_until(&mut link, "welcome");
        assert!(!welcome.contains("\"ws://"), "other nodes are reached with TLS too: {welcome}");
    }
}

#[test]
fn a_closed_websocket_ends_with_a_close_notify() {
    let gateway = public("");
    let mut socket = gateway.subscriber();
    socket.send(&masked(0x88, &1000u16.to_be_bytes()));
    let close = socket.frame().expect("a close frame");
    assert_eq!((close.opcode, close.payload), (8, 1000u16.to_be_bytes().to_vec()));
    // The client takes an end without `close_notify` for an error.
    assert_eq!(socket.frame(), None);
}

#[test]
fn a_client_that_ends_without_a_close_notify_is_gone_and_not_broken() {
    let gateway = public("");
    drop(gateway.subscriber());
    let gone = r#"switchboard_connections_closed_total{cause="peer_gone",code="0"}"#;
    until("the end of the connection", || gateway.counted(gone) == 1);
    // With TLS 1.3 it would have unread tickets, so that its end would be a reset.
    let mut idle = Client::connect(gateway.public).with_tls(trusting(&gateway.authority, &[&TLS12], None), NAME);
    idle.handshake().expect("a handshake");
    drop(idle);
    until("the second handshake", || gateway.counted(r#"switchboard_tls_handshakes_total{listener="public",result="full"}"#) == 2);
    assert_eq!(gateway.failed("broken"), 0);
}

#[test]
fn sessions_are_resumed_without_state_in_the_gateway() {
    let gateway = public("");
    for version in VERSIONS {
        let config = trusting(&gateway.authority, &[version], None);
        let kinds = [(); 3].map(|()| {
            let mut client = Client::connect(gateway.public).with_tls(config.clone(), NAME);
            client.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(client.answer().0.starts_with("HTTP/1.1 200 "));
            client.handshake().expect("a handshake").handshake_kind()
        });
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed].map(Some));
    }
    let counted = |result| gateway.counted(&format!(r#"switchboard_tls_handshakes_total{{listener="public",result="{result}"}}"#));
    assert_eq!((counted("full"), counted("resumed")), (2, 4));
}

/// The header and the first message of the handshake may come in one segment, or in pieces.
#[test]
fn the_proxy_header_comes_before_tls() {
    let authority = Authority::new();
    let own = pair(&authority.sign(&[NAME]));
    let toml = format!("[public]\nproxy_protocol = true\n[public.tls]\npairs = [{own}]");
    let (public, internal) = start_with(settings(&toml));
    let header = b"PROXY TCP4 203.0.113.9 10.0.0.1 51201 443\r\n";
    let config = trusting(&authority, &VERSIONS, None);
    for is_one_segment in [true, false] {
        let mut client = Client::connect(public);
        if is_one_segment {
            client = client.with_tls_behind(header, config.clone(), NAME);
        } else {
            client.send(header);
            client = client.with_tls(config.clone(), NAME);
        }
        client.send(handshake(PATH).as_bytes());
        let head = client.head().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        let id = head.lines().find_map(|line| line.strip_prefix("x-connection-id: ")).expect("an id");
        let lines = "Authorization: Bearer dev\r\n";
        let (_, shown) = crate::public::ask(internal, "GET", &format!("/v1/connections/{id}"), lines, "");
        assert!(shown.contains(r#""address":"203.0.113.9""#), "{shown}");
    }
}

/// With TLS, a page that came without TLS is a page of another origin.
#[test]
fn only_secure_pages_of_the_same_host_may_connect() {
    let gateway = public("");
    for (origin, status) in [("https://localhost", 101), ("http://localhost", 403)] {
        let mut client = gateway.client();
        client.send(handshake(PATH).replacen("\r\n\r\n", &format!("\r\nOrigin: {origin}\r\n\r\n"), 1).as_bytes());
        let head = client.head();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{origin}: {head}");
    }
}

/// A client that does not read is closed for the same reason with TLS as without. What TLS holds is not taken for sent.
#[test]
fn a_stuck_reader_is_closed_as_without_tls() {
    let authority = Authority::new();
    let own = pair(&authority.sign(&[NAME]));
    let limits = "[connection]\nwrite_timeout = \"1s\"\nclose_timeout = \"200ms\"\noutbox_bytes = \"16MiB\"";
    for tls in [String::new(), format!("\n[public.tls]\npairs = [{own}]")] {
        let (public, internal) = start_with(settings(&format!("{limits}{tls}")));
        let gateway = super::support::Secure { authority: Authority::new(), public, internal };
        let client = Client::connect(public);
        let client = if tls.is_empty() { client } else { client.with_tls(trusting(&authority, &VERSIONS, None), NAME) };
        let mut stuck = subscribed(client);
        let data = format!("\"{}\"", "x".repeat(60_000));
        // More than the kernels on both sides and TLS hold together.
        (0..200).for_each(|_| gateway.publish(&data));
        let closed = r#"switchboard_connections_closed_total{cause="write_timeout",code="0"}"#;
        until("the close of the stuck client", || gateway.counted(closed) == 1);
        until("the end of its connection", || gateway.counted("switchboard_connections_open") == 0);
        assert!(stuck.reset(), "unsent bytes are discarded");
    }
}
