//! The paths of STOMP on the public listener of a whole gateway.

use super::{
    client::{Client, KEY, masked},
    public::{ask, start_with},
};
use serde_json::Value;
use std::net::SocketAddr;

const SETTINGS: &str = "[tokens]\nanonymous = true\nhmac_secret = \"s\"\n[namespaces.open]\nsubscribe = \"anyone\"\npublish = \"anyone\"\n";

fn serve(toml: &str) -> SocketAddr {
    start_with(format!("{SETTINGS}{toml}")).0
}

/// Requests an upgrade. Returns the client and the head of the answer.
fn upgrade(address: SocketAddr, path: &str, lines: &str) -> (Client, String) {
    let mut client = Client::connect(address);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n{lines}\r\n"
    );
    client.send(request.as_bytes());
    let head = client.head();
    (client, head)
}

fn send_text(client: &mut Client, text: &str) {
    client.send(&masked(0x81, text.as_bytes()));
}

fn text(client: &mut Client) -> String {
    String::from_utf8(client.frame().expect("a frame").payload).expect("text")
}

#[test]
fn the_highest_offered_subprotocol_is_chosen_and_none_if_none_is_offered() {
    let address = serve("");
    for (offered, chosen) in [
        ("v12.stomp,v11.stomp,v10.stomp", Some("v12.stomp")),
        ("v10.stomp, v11.stomp, v12.stomp", Some("v12.stomp")),
        ("v10.stomp,v11.stomp", Some("v11.stomp")),
        ("mqtt", None),
        ("", None),
    ] {
        let lines = if offered.is_empty() { String::new() } else { format!("Sec-WebSocket-Protocol: {offered}\r\n") };
        let (_, head) = upgrade(address, "/stomp", &lines);
        assert!(head.starts_with("HTTP/1.1 101 "), "{offered}: {head}");
        let answered = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("sec-websocket-protocol: ").map(str::to_owned));
        assert_eq!(answered.as_deref(), chosen, "{offered}");
    }
}

#[test]
fn each_path_has_its_framing() {
    let address = serve("[stomp]\npaths = [\"/stomp\", \"/ws\"]\n");
    let connect = "CONNECT\naccept-version:1.2\n\n\0";
    for path in ["/stomp", "/stomp/websocket", "/ws", "/ws/websocket"] {
        let (mut client, head) = upgrade(address, path, "");
        assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
        send_text(&mut client, connect);
        let connected = text(&mut client);
        assert!(connected.starts_with("CONNECTED\nversion:1.2\n") && connected.ends_with("\n\n\0"), "{path}: {connected}");
    }
    let (mut client, head) = upgrade(address, "/ws/000/abcdefgh/websocket", "");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(text(&mut client), "o", "SockJS clients wait for it");
    send_text(&mut client, &serde_json::json!([connect]).to_string());
    let message = text(&mut client);
    let frames: Vec<String> = serde_json::from_str(message.strip_prefix('a').expect("an array")).expect("JSON");
    assert!(frames[0].starts_with("CONNECTED\nversion:1.2\n"), "{frames:?}");
    for path in ["/ws/000/abcdefgh/xhr_streaming", "/ws/a.b/c/websocket", "/ws//c/websocket", "/stompx", "/stomp/"] {
        let (_, head) = upgrade(address, path, "");
        assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
    }
}

#[test]
fn sockjs_clients_learn_that_there_is_a_websocket() {
    let address = serve("[public]\nallowed_origins = [\"https://app.example\"]\n");
    let (head, body) = ask(address, "GET", "/stomp/info?t=1", "Origin: https://app.example\r\n", "");
    assert!(head.starts_with("http/1.1 200 ") && head.contains("cache-control: no-store"), "{head}");
    assert!(head.contains("access-control-allow-origin: https://app.example\r\n"), "{head}");
    assert!(head.contains("access-control-allow-credentials: true\r\n"), "{head}");
    let info: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((&info["websocket"], &info["cookie_needed"]), (&true.into(), &false.into()));
    let (head, _) = ask(address, "GET", "/stomp/info", "Origin: https://evil.example\r\n", "");
    assert!(!head.contains("access-control-allow-origin"), "{head}");
    let (head, _) = ask(address, "OPTIONS", "/stomp/info", "Origin: https://app.example\r\n", "");
    assert!(head.starts_with("http/1.1 204 ") && head.contains("access-control-allow-methods: options, get\r\n"), "{head}");
    for (method, path, status) in
        [("GET", "/stomp", 426), ("GET", "/stomp/websocket", 426), ("POST", "/stomp/info", 405), ("POST", "/stomp", 405)]
    {
        let (head, _) = ask(address, method, path, "", "");
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{method} {path}: {head}");
    }
}

#[test]
fn the_token_may_come_with_the_handshake() {
    let address = serve("[public]\nallowed_origins = [\"https://app.example\"]\n[stomp]\ntoken_cookie = \"session\"\n");
    let origin = "Origin: https://app.example\r\n";
    // A token that is not valid shows that it was taken.
    for (path, lines, taken) in [
        ("/stomp?token=a.b.c", "", true),
        ("/stomp?x=1&access_token=a.b.c", "", true),
        ("/stomp?other=a.b.c", "", false),
        ("/stomp", format!("{origin}Cookie: a=b; session=a.b.c\r\n").as_str(), true),
        ("/stomp", "Cookie: session=a.b.c\r\n", false),
        ("/stomp", format!("{origin}Cookie: sessions=a.b.c\r\n").as_str(), false),
    ] {
        let (mut client, head) = upgrade(address, path, lines);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        send_text(&mut client, "CONNECT\naccept-version:1.2\n\n\0");
        let answer = text(&mut client);
        assert_eq!(answer.starts_with("ERROR\n"), taken, "{path} {lines}: {answer}");
    }
    let (_, head) = upgrade(address, "/stomp", "Origin: https://evil.example\r\n");
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

#[test]
fn without_paths_there_is_no_stomp() {
    let address = serve("[stomp]\npaths = []\n");
    let (_, head) = upgrade(address, "/stomp", "");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    let (head, _) = ask(address, "GET", "/stomp/info", "", "");
    assert!(head.starts_with("http/1.1 404 "), "{head}");
}
