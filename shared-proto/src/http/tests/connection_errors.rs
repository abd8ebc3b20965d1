//! Counters of connections that the server refuses or times out.

use super::super::testing::Client;
use super::super::{Cause, ConnectionErrors, HttpOptions};
use super::server::start;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const REQUEST: &str = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

/// Waits until the counters have the `expected` values and all other counters are 0.
fn wait_for(errors: &ConnectionErrors, expected: &[(Cause, u64)]) {
    let began = Instant::now();
    loop {
        let counts: Vec<_> = errors.counts().filter(|(_, count)| *count > 0).collect();
        if counts == expected {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{counts:?}, not {expected:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_connection_above_the_limit_is_closed_and_counted() {
    let errors = Arc::new(ConnectionErrors::new("test"));
    let address = start(&HttpOptions { permits: Arc::new(Semaphore::new(1)), errors: errors.clone(), ..HttpOptions::default() });
    let mut first = Client::connect(address);
    assert_eq!(first.request(REQUEST).body, "hello");
    assert!(Client::connect(address).is_closed());
    wait_for(&errors, &[(Cause::NoRoom, 1)]);
    assert_eq!(first.request(REQUEST).body, "hello", "the first connection stays open");
    drop(first);
    let began = Instant::now();
    while Client::connect(address).try_request(REQUEST).is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "the first connection does not return its permit");
    }
}

#[test]
fn a_late_head_is_counted() {
    for (begun, number) in [("", 1), ("GET / HTTP/1.1\r\nHos", 2)] {
        let errors = Arc::new(ConnectionErrors::new("test"));
        let request_timeout = Duration::from_millis(100);
        let address = start(&HttpOptions { request_timeout, errors: errors.clone(), ..HttpOptions::default() });
        for _ in 0..number {
            let mut client = Client::connect(address);
            client.send(begun);
            assert!(client.is_closed(), "{begun}");
        }
        wait_for(&errors, &[(Cause::HeadTimeout, number)]);
    }
}
