//! What the public listener of a whole gateway answers to ordinary HTTP.

use super::client::{Client, handshake};
use gateway::{
    server::{Listeners, start},
    settings::Settings,
    telemetry::Telemetry,
};
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Starts a separate gateway with the demo. It runs until the test process ends.
fn serve(toml: &str) -> SocketAddr {
    start_with(format!("{toml}\n[tokens]\nhmac_secret = \"s\"\n[demo]\nenabled = true")).0
}

/// Starts a separate gateway. Returns the addresses of its public and internal listeners.
pub(crate) fn start_with(toml: String) -> (SocketAddr, SocketAddr) {
    let (report, reported) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let settings = Settings::from_toml(&toml).expect("valid");
        let telemetry = Telemetry::without_logs(&settings).expect("no endpoint");
        let free = || TcpListener::bind("127.0.0.1:0").expect("a free port");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listeners = Listeners { public: Some(free()), internal: free() };
            for listener in listeners.public.iter().chain([&listeners.internal]) {
                listener.set_nonblocking(true).expect("settable");
            }
            let running = start(&settings, listeners, telemetry.metrics()).expect("it starts");
            let (public, internal) = running.addresses();
            report.send((public.expect("a full node"), internal)).expect("awaited");
            std::future::pending::<()>().await;
        });
    });
    reported.recv().expect("it starts")
}

/// Sends a request and reads until the connection ends. Returns head and body.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, lines: &str, body: &str) -> (String, String) {
    let mut client = Client::connect(address);
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{lines}\r\n{body}");
    client.send(request.as_bytes());
    let head = client.head().to_ascii_lowercase();
    (head, String::from_utf8(client.rest()).expect("text"))
}

#[test]
fn every_refusal_is_a_problem_document_and_says_which_methods_there_are() {
    let address = serve("");
    let json = "Content-Type: application/json\r\n";
    for (method, path, lines, body, status, code, allow) in [
        ("GET", "/nothing", "", "", 404, "not_found", ""),
        ("GET", "/connection/websocket", "", "", 426, "upgrade_required", ""),
        ("POST", "/connection/websocket", "", "", 405, "method_not_allowed", "get, head"),
        ("POST", "/livez", "", "", 405, "method_not_allowed", "get, head"),
        ("DELETE", "/readyz", "", "", 405, "method_not_allowed", "get, head"),
        ("PUT", "/", "", "", 405, "method_not_allowed", "get, head"),
        ("GET", "/demo/token", "", "", 405, "method_not_allowed", "post, options"),
        ("POST", "/demo/nodes", "", "", 405, "method_not_allowed", "get, head"),
        ("POST", "/demo/token", "", r#"{"user":"a"}"#, 415, "unsupported_media_type", ""),
        ("POST", "/demo/token", &format!("{json}Content-Encoding: gzip\r\n"), r#"{"user":"a"}"#, 415, "unsupported_encoding", ""),
        ("POST", "/demo/token", json, "[\"a\"]", 400, "bad_request", ""),
        ("POST", "/demo/token", json, r#"{"user":"a\n"}"#, 400, "bad_request", ""),
        ("POST", "/demo/token", json, r#"{"user":""}"#, 400, "bad_request", ""),
        ("POST", "/demo/token", json, &format!(r#"{{"user":"{}"}}"#, "a".repeat(5000)), 413, "payload_too_large", ""),
    ] {
        let (head, body) = ask(address, method, path, lines, body);
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{method} {path}: {head}");
        assert!(head.contains("content-type: application/problem+json\r\n"), "{method} {path}: {head}");
        let problem: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{method} {path}: {error} in {body:?}"));
        assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()), "{method} {path}");
        assert!(allow.is_empty() || head.contains(&format!("allow: {allow}\r\n")), "{method} {path}: {head}");
    }
}

#[test]
fn health_is_answered_as_on_the_internal_listener() {
    let address = serve("");
    let (head, body) = ask(address, "GET", "/livez", "", "");
    assert!(head.starts_with("http/1.1 200 ") && body == "alive\n", "{head}{body}");
    let (head, body) = ask(address, "GET", "/readyz", "", "");
    assert!(head.starts_with("http/1.1 200 ") && body == r#"{"ready":true}"#, "{head}{body}");
}

#[test]
fn nobody_gets_a_demo_token_for_a_reserved_name_in_any_case() {
    let token = |address, user: &str| {
        let body = json!({ "user": user }).to_string();
        ask(address, "POST", "/demo/token", "Content-Type: application/json\r\n", &body)
    };
    let with = |names: &str| start_with(format!("[tokens]\nhmac_secret = \"s\"\n[demo]\nenabled = true\nreserved_names = {names}")).0;
    let (default, own, none) = (serve(""), with(r#"["Chef", "jürgen"]"#), with("[]"));
    for (address, user) in [(default, "bot"), (default, "BoT"), (own, "chef"), (own, "JÜRGEN")] {
        let (head, body) = token(address, user);
        assert!(head.starts_with("http/1.1 400 ") && head.contains("content-type: application/problem+json\r\n"), "{user}: {head}");
        let problem: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(problem["code"], "bad_request");
        assert_eq!(problem["detail"], format!("The name \"{user}\" is reserved. Choose another name."));
    }
    for (address, user) in [(default, "alice"), (default, "bots"), (default, "chef"), (own, "bot"), (none, "bot")] {
        let (head, body) = token(address, user);
        assert!(head.starts_with("http/1.1 200 ") && body.contains("token"), "{user}: {head}{body}");
    }
}

#[test]
fn pages_that_may_connect_may_ask_for_demo_tokens_and_no_others() {
    let address = serve("[public]\nallowed_origins = [\"https://app.example\"]");
    for (origin, allowed) in [("https://app.example", true), ("https://evil.example", false), ("null", false)] {
        let lines = format!("Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n");
        let (head, _) = ask(address, "OPTIONS", "/demo/token", &lines, "");
        assert!(head.starts_with("http/1.1 204 ") && head.contains("access-control-allow-headers: content-type\r\n"), "{head}");
        assert_eq!(head.contains(&format!("access-control-allow-origin: {origin}\r\n")), allowed, "{head}");
        let lines = format!("Origin: {origin}\r\nContent-Type: application/json\r\n");
        let (head, body) = ask(address, "POST", "/demo/token", &lines, r#"{"user":"alice"}"#);
        assert!(head.contains("vary: origin\r\n") && body.contains("token"), "{head}{body}");
        assert_eq!(head.contains(&format!("access-control-allow-origin: {origin}\r\n")), allowed, "{head}");
    }
}

#[test]
fn origins_may_be_listed_by_a_wildcard_or_all_be_allowed() {
    let (below, every) = (serve("[public]\nallowed_origins = [\"https://*.app.example\"]"), serve("[public]\nallowed_origins = [\"*\"]"));
    for (origin, is_below) in [
        ("https://eu.app.example", true),
        ("https://app.example", false),
        ("https://a.b.app.example", false),
        ("http://eu.app.example", false),
        ("https://eu.app.example:8443", false),
        ("null", false),
    ] {
        for (address, allowed) in [(below, is_below), (every, true)] {
            let mut client = Client::connect(address);
            let request = handshake("/connection/websocket").replacen("\r\n\r\n", &format!("\r\nOrigin: {origin}\r\n\r\n"), 1);
            client.send(request.as_bytes());
            let status = if allowed { "HTTP/1.1 101 " } else { "HTTP/1.1 403 " };
            assert!(client.head().starts_with(status), "{origin} at {address}");
            let lines = format!("Origin: {origin}\r\nContent-Type: application/json\r\n");
            let (head, _) = ask(address, "POST", "/demo/token", &lines, r#"{"user":"alice"}"#);
            assert_eq!(head.contains(&format!("access-control-allow-origin: {origin}\r\n")), allowed, "{head}");
        }
    }
}

#[test]
fn the_page_gets_the_list_of_nodes() {
    let version = env!("CARGO_PKG_VERSION");
    let n1 = "[node]\nname = \"n1\"\n[tokens]\nhmac_secret = \"s\"\n[demo]\nenabled = true";
    let (address, internal) = start_with(n1.into());
    let (head, body) = ask(address, "GET", "/demo/nodes", "", "");
    assert!(head.starts_with("http/1.1 200 ") && head.contains("cache-control: no-store\r\n"), "{head}");
    let nodes = format!(r#"[{{"name":"n1","url":"http://{address}"}}]"#);
    assert_eq!(body, format!(r#"{{"here":"n1","version":"{version}","api":"http://{internal}","nodes":{nodes}}}"#));
    let n2 = "[node]\nname = \"n2\"\n[cluster]\npublic_url = \"https://n2.example/\"\nlink_url = \"wss://n2.internal\"";
    let (_, body) = ask(serve(n2), "GET", "/demo/nodes", "", "");
    let nodes = r#"[{"name":"n2","url":"https://n2.example"}]"#;
    assert_eq!(body, format!(r#"{{"here":"n2","version":"{version}","api":"https://n2.internal","nodes":{nodes}}}"#));
}

#[test]
fn without_the_demo_its_paths_do_not_exist() {
    let address = start_with("demo.enabled = false".into()).0;
    for (method, path) in [("GET", "/"), ("POST", "/demo/token"), ("GET", "/demo/nodes")] {
        let (head, body) = ask(address, method, path, "", "");
        assert!(head.starts_with("http/1.1 404 ") && head.contains("content-type: application/problem+json\r\n"), "{path}: {head}");
        assert!(body.contains(r#""code":"not_found""#), "{path}: {body}");
    }
}

#[test]
fn http_connections_are_limited_and_upgraded_ones_do_not_count() {
    let address = serve("[public]\nhttp_connections = 2");
    let upgrade = || {
        let started = Instant::now();
        loop {
            let mut client = Client::connect(address);
            client.send(handshake("/connection/websocket").as_bytes());
            if client.try_head().is_some_and(|head| head.starts_with("HTTP/1.1 101 ")) {
                return client;
            }
            // The gateway may still count the connection before.
            assert!(started.elapsed() < Duration::from_secs(30), "places are not given back");
        }
    };
    let _sockets: Vec<_> = (0..6).map(|_| upgrade()).collect();
    let plain = || {
        let mut client = Client::connect(address);
        client.send(format!("GET /livez HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes());
        client.try_head().map(|_| client)
    };
    let started = Instant::now();
    let mut held = Vec::new();
    while held.len() < 2 {
        held.extend(plain());
        assert!(started.elapsed() < Duration::from_secs(30), "there are two places");
    }
    for _ in 0..20 {
        assert!(plain().is_none(), "a third has no place");
    }
    held.pop();
    while plain().is_none() {
        assert!(started.elapsed() < Duration::from_secs(30), "a place is free again");
    }
}
