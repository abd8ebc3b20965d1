//! Bytes on the heap for an idle connection, counted by the allocator: the difference between two numbers of connections, divided by the difference of the
//! numbers. Gateway and clients are in this process, but open clients have nothing on the heap.
//!
//! This binary has one test, because another one would allocate at the same time. docs/benchmarks.md explains the figures and how to change the bounds.

mod client;
mod gateway_thread;

use cap::Cap;
use client::Idle;
use mimalloc::MiMalloc;
use redis_testing::Authority;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Cap<MiMalloc> = Cap::new(MiMalloc, usize::MAX);

/// The numbers of connections. Both are powers of two, so that tables that double their size are equally full.
const FEW: usize = 256;
const MANY: usize = 1024;

/// Bound of a connection without token and with one subscription, in bytes.
const ANONYMOUS: usize = 1450;
/// Bound of a connection with a token, its personal channel and a channel with presence, and with its share of a history.
const TOKEN: usize = 2720;
/// Bound of a STOMP connection without token and with one subscription, in bytes.
const STOMP: usize = 2085;
/// Bound of a connection with TLS 1.3, without token and with one subscription, in bytes.
const TLS: usize = 8940;
/// A connection may need this much less than its bound. So a change that adds this much exceeds the bound.
const SLACK: usize = 100;

/// Only a failing test waits this long.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The heap has settled if this many consecutive readings are equal.
const READINGS: usize = 50;
/// Time between two readings.
const PAUSE: Duration = Duration::from_millis(10);

#[test]
fn an_idle_connection_needs_no_more_memory_than_stated() {
    let files = shared_proto::http::raise_open_files().unwrap_or(u64::MAX);
    assert!(
        files > 2 * MANY as u64 + 200,
        "{files} files are too few for both ends of {MANY} connections: raise the hard limit (ulimit -Hn)"
    );
    let found = [(Idle::Anonymous, ANONYMOUS), (Idle::Token, TOKEN), (Idle::Stomp, STOMP), (Idle::Tls, TLS)]
        .map(|(idle, bound)| (idle, bytes_per_connection(idle), bound));
    println!("{found:?}");
    for (idle, bytes, bound) in found {
        assert!(
            bytes <= bound,
            "{idle:?}: a connection needs {bytes} bytes, and {bound} are allowed; docs/benchmarks.md says when to raise the bound"
        );
        assert!(bytes > bound - SLACK, "{idle:?}: a connection needs only {bytes} bytes: lower the bound of {bound}");
    }
}

fn bytes_per_connection(idle: Idle) -> usize {
    let authority = Authority::new();
    let gateway = match idle {
        Idle::Tls => {
            let own = authority.sign(&["gateway.test"]);
            gateway_thread::run(&format!("[public.tls]\npairs = [{{ cert_file = {:?}, key_file = {:?} }}]", own.certificate, own.key))
        }
        _ => gateway_thread::run(""),
    };
    let mut sockets = Vec::with_capacity(MANY);
    sockets.extend((0..FEW).map(|number| idle.open(gateway, number)));
    let few = settled();
    sockets.extend((FEW..MANY).map(|number| idle.open(gateway, number)));
    let many = settled();
    (many - few) / (MANY - FEW)
}

/// The size of the heap, once it no longer changes.
fn settled() -> usize {
    let (began, mut size, mut same) = (Instant::now(), ALLOCATOR.allocated(), 0);
    while same < READINGS {
        assert!(began.elapsed() < TIMEOUT, "the heap still changes, {size} bytes now");
        #[expect(clippy::disallowed_methods, reason = "a test's own thread waits for the heap to settle")]
        std::thread::sleep(PAUSE);
        let now = ALLOCATOR.allocated();
        same = if now == size { same + 1 } else { 0 };
        size = now;
    }
    size
}
