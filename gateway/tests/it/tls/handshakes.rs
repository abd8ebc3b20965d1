//! Handshakes that fail, or take long.

use super::support::{NAME, VERSIONS, public, trusting};
use crate::{client::Client, store_errors::until};
use redis_testing::Authority;
use rustls::version::TLS12;
use std::time::{Duration, Instant};

/// The beginning of a first message that never ends.
const HALF: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1];

/// A client that stops behind its first message.
fn stalled(gateway: &super::support::Secure) -> Client {
    let mut client = Client::connect(gateway.public);
    let hello = Client::first_message(trusting(&gateway.authority, &VERSIONS, None), NAME);
    client.send(&hello);
    client
}

fn serves(gateway: &super::support::Secure) {
    let mut client = gateway.client();
    client.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.answer().0.starts_with("HTTP/1.1 200 "));
}

/// Silent clients have no place among the handshakes, so others pass at once. With actix-tls, 256 of them stop a worker.
#[test]
fn silent_clients_are_cut_and_others_get_in() {
    let gateway = public("handshake_timeout = \"8s\"\nhandshakes = 1");
    let mut silent: Vec<_> = (0..600).map(|_| Client::connect(gateway.public)).collect();
    silent.iter_mut().skip(300).for_each(|client| client.send(HALF));
    (0..20).for_each(|_| serves(&gateway));
    assert_eq!(gateway.failed("tls_timeout"), 0, "others waited until the silent ones were cut");
    for client in &mut silent {
        assert!(!client.reset(), "it is closed");
    }
    until("the count of all", || gateway.failed("tls_timeout") == 600);
    assert_eq!(gateway.failed("tls_no_room"), 0);
    serves(&gateway);
}

#[test]
fn at_the_limit_a_client_waits_for_a_place() {
    let gateway = public("handshake_timeout = \"30s\"\nhandshakes = 1");
    let mut first = stalled(&gateway);
    // The answer of the gateway shows that the first one has the place.
    assert!(first.is_answered_within(Duration::from_secs(30)));
    let mut second = stalled(&gateway);
    assert!(!second.is_answered_within(Duration::from_millis(300)), "it has to wait");
    drop(first);
    assert!(second.is_answered_within(Duration::from_secs(30)), "now it has the place");
    drop(second);
    serves(&gateway);
    assert_eq!((gateway.failed("tls_timeout"), gateway.failed("tls_no_room")), (0, 0));
}

#[test]
fn who_waits_in_vain_is_closed_and_counted() {
    let gateway = public("handshake_timeout = \"500ms\"\nhandshakes = 1");
    let all = [(); 4].map(|()| stalled(&gateway));
    for mut client in all {
        assert!(!client.reset(), "it is closed");
    }
    until("the count of all", || gateway.failed("tls_timeout") + gateway.failed("tls_no_room") == 4);
    assert!(gateway.failed("tls_no_room") >= 1 && gateway.failed("tls_timeout") >= 1);
    serves(&gateway);
}

#[test]
fn other_protocols_and_distrusting_clients_are_refused_and_counted() {
    let gateway = public("min_version = \"1.3\"");
    let mut plain = Client::connect(gateway.public);
    plain.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    let alert = plain.rest();
    assert_eq!(alert.first(), Some(&21), "an alert and no answer: {}", alert.escape_ascii());
    let mut old = Client::connect(gateway.public).with_tls(trusting(&gateway.authority, &[&TLS12], None), NAME);
    assert!(old.handshake().is_err());
    let mut distrusting = Client::connect(gateway.public).with_tls(trusting(&Authority::new(), &VERSIONS, None), NAME);
    assert!(distrusting.handshake().is_err());
    distrusting.finish();
    until("three refusals", || gateway.failed("tls_handshake") == 3);
    drop(Client::connect(gateway.public));
    serves(&gateway);
    assert_eq!(gateway.failed("broken"), 0, "a check of the port is no failure");
}

#[test]
fn above_the_rate_of_accepts_clients_wait_before_their_handshake() {
    let gateway = public("handshake_timeout = \"30s\"\n[limits.accepts]\nper_second = 5\nburst = 1");
    let began = Instant::now();
    (0..6).for_each(|_| serves(&gateway));
    assert!(began.elapsed() >= Duration::from_millis(990), "five of them waited");
    assert_eq!(gateway.failed("accept_rate"), 0);
}

#[test]
fn a_client_waits_no_longer_than_for_a_handshake() {
    let gateway = public("handshake_timeout = \"1s\"\n[limits.accepts]\nper_second = 1\nburst = 1");
    let waiting: Vec<_> = (0..8).map(|_| stalled(&gateway)).collect();
    until("the end of those who waited", || gateway.failed("accept_rate") >= 4);
    drop(waiting);
}
