//! Limits of one address, behind a trusted proxy that tells the addresses.

use super::support::{Gateway, send, until_closed, upgrade};
use crate::{client::Client, listeners};
use serde_json::json;

const PROXY: &str = "[public]\ntrusted_proxies = [\"127.0.0.0/8\"]\nallowed_origins = [\"*\"]\n";
const PATH: &str = "/connection/websocket";
const ATTACKER: &str = "2001:db8::1";
/// Another address in the attacker's network.
const SAME: &str = "2001:db8::ffff:1";
const TWIN: &str = "2001:db8:0:1::1";

fn from(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

/// The status of an upgrade from this address, with its `Retry-After`.
fn status(gateway: &Gateway, path: &str, address: &str) -> (Client, u16, Option<u64>) {
    let (client, status, head) = upgrade(gateway.public, path, &from(address));
    let retry_after = head.lines().find_map(|line| line.strip_prefix("retry-after: ")?.parse().ok());
    (client, status, retry_after)
}

#[test]
fn upgrades_above_the_rate_get_429_and_other_addresses_connect() {
    let gateway = Gateway::with(&format!("{PROXY}[limits.address]\nupgrades_per_second = 1\nupgrades_burst = 5"));
    let statuses: Vec<_> = (0..20)
        .map(|number| {
            let (_, status, retry_after) =
                status(&gateway, if number % 2 == 0 { PATH } else { "/stomp" }, if number % 3 == 0 { SAME } else { ATTACKER });
            (status, retry_after)
        })
        .collect();
    let refused = statuses.iter().filter(|answer| **answer == (429, Some(1))).count();
    // Seconds may pass meanwhile.
    assert!((10..=15).contains(&refused) && statuses[..5].iter().all(|(status, _)| *status == 101), "{statuses:?}");
    assert_eq!(gateway.limited("address_upgrades"), refused as u64);
    assert_eq!(gateway.counted(r#"switchboard_upgrades_refused_total{reason="too_many_requests"}"#), refused as u64);
    assert_eq!(status(&gateway, PATH, TWIN).1, 101);
}

#[test]
fn streams_count_as_upgrades_and_an_event_source_comes_back_later() {
    let gateway = Gateway::with(&format!("{PROXY}[limits.address]\nupgrades_per_second = 1\nupgrades_burst = 1"));
    let request = |method: &str, path: &str, address: &str, body: &str| {
        let mut client = Client::connect(gateway.public);
        let (lines, length) = (from(address), body.len());
        client.send(
            format!(
                "{method} {path} HTTP/1.1\r\nHost: a\r\n{lines}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .as_bytes(),
        );
        let head = client.head().to_ascii_lowercase();
        (client, head)
    };
    let connect = r#"{"id":1,"connect":{}}"#;
    assert!(request("POST", "/connection/http_stream", ATTACKER, connect).1.starts_with("http/1.1 200 "));
    let (_, head) = request("POST", "/connection/http_stream", ATTACKER, connect);
    assert!(head.starts_with("http/1.1 429 ") && head.contains("\r\nretry-after: 1\r\n"), "{head}");
    let (mut client, head) = request("GET", "/events?channel=open:a", ATTACKER, "");
    assert!(head.starts_with("http/1.1 200 "), "a browser would give up after another status: {head}");
    let rest = String::from_utf8(client.rest()).expect("text");
    assert!(rest.contains("retry:") && !rest.contains("data:"), "{rest}");
    assert_eq!(gateway.limited("address_upgrades"), 2);
    assert!(request("GET", "/events?channel=open:a", TWIN, "").1.starts_with("http/1.1 200 "));
}

#[test]
fn an_address_with_many_wrong_tokens_waits_and_others_do_not() {
    let gateway = Gateway::with(&format!("{PROXY}[limits.address]\nwrong_tokens_per_minute = 1\nwrong_tokens_burst = 3"));
    let connect = json!({"id": 1, "connect": {"token": "a.b.c"}}).to_string();
    for _ in 0..4 {
        let (mut client, code, _) = status(&gateway, PATH, ATTACKER);
        assert_eq!(code, 101);
        send(&mut client, &connect);
        assert_eq!(until_closed(&mut client).1, 3500);
    }
    let (_, code, retry_after) = status(&gateway, PATH, SAME);
    assert!(code == 429 && retry_after.is_some_and(|pause| (50..=60).contains(&pause)), "{code} {retry_after:?}");
    assert_eq!(gateway.limited("address_wrong_tokens"), 1);
    let (mut twin, code, _) = status(&gateway, PATH, TWIN);
    assert_eq!(code, 101);
    send(&mut twin, r#"{"id":1,"connect":{}}"#);
    twin.until(br#""connect":{"#);
}

#[test]
fn open_connections_of_an_address_are_limited_and_get_their_places_back() {
    let gateway = Gateway::with(&format!("{PROXY}[limits.address]\nconnections = 2"));
    let (held, code, _) = status(&gateway, PATH, ATTACKER);
    let (_other, other_code, _) = status(&gateway, PATH, SAME);
    assert_eq!((code, other_code), (101, 101));
    let (_, code, retry_after) = status(&gateway, PATH, ATTACKER);
    assert_eq!((code, retry_after), (503, Some(5)));
    assert_eq!(gateway.limited("address_connections"), 1);
    assert_eq!(status(&gateway, PATH, TWIN).1, 101);
    drop(held);
    crate::store_errors::until("the place is free", || status(&gateway, PATH, ATTACKER).1 == 101);
}

#[test]
fn http_connections_of_an_address_are_limited_before_their_first_request() {
    let settings = "[public]\nproxy_protocol = true\nrequest_timeout = \"1m\"\n[limits.address]\nhttp_connections = 3";
    let gateway = Gateway::with(settings);
    let open = |address: &str| {
        let mut client = Client::connect(gateway.public);
        client.send(format!("PROXY TCP6 {address} ::1 51201 443\r\n").as_bytes());
        client
    };
    let mut held: Vec<_> = (0..6).map(|_| open(ATTACKER)).collect();
    let refused = r#"switchboard_http_connection_errors_total{cause="client_no_room",listener="public"}"#;
    crate::store_errors::until("the refusals", || gateway.counted(refused) == 3);
    let mut twin = open(TWIN);
    assert!(twin.exchange(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").expect("an answer").starts_with("HTTP/1.1 200 "));
    let served = held.iter_mut().filter_map(|client| client.exchange(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").ok());
    assert_eq!(served.filter(|answer| answer.starts_with("HTTP/1.1 200 ")).count(), 3);
}

#[test]
fn this_machine_is_exempt() {
    let gateway = Gateway::with("[limits.address]\nconnections = 1\nhttp_connections = 1\nupgrades_per_second = 1\nupgrades_burst = 1");
    let open: Vec<_> = (0..5).map(|_| upgrade(gateway.public, PATH, "")).collect();
    assert!(open.iter().all(|(_, status, _)| *status == 101));
}

#[test]
fn a_warning_names_the_setting_when_nearly_all_connections_come_from_one_address() {
    shared_proto::http::raise_open_files();
    let gateway = listeners::Gateway::start(&["public.trusted_proxies=127.0.0.0/8", "connection.connect_timeout=1m", "drain.delay=1h"]);
    let open = |address: &str| {
        let (client, status, head) = upgrade(gateway.public, PATH, &from(address));
        assert_eq!(status, 101, "{head}");
        client
    };
    // Others have more than a twentieth of a thousand connections, and then no longer.
    let mut clients: Vec<_> = (1..=60).map(|host| open(&format!("198.51.100.{host}"))).collect();
    clients.extend((0..1140).map(|_| open("203.0.113.9")));
    let warning = "nearly all connections come from one address; if that is a proxy, name it in public.trusted_proxies";
    gateway.wait_for_log(|log| log.contains(warning));
    clients.extend((0..10).map(|_| open("203.0.113.9")));
    gateway.terminate();
    let log = gateway.wait_for_log(|log| log.contains("a second signal ends the process at once"));
    let warnings: Vec<_> = log.lines().filter(|line| line.contains(warning)).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("WARN") && warnings[0].contains("connections=1200"), "{warnings:?}");
}
