//! Java's own HTTP client. Raw bytes show the same in [`super::listeners`].

use super::listeners::Gateway;
use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// A proxy to `to`. Returns its address and its number of connections.
fn counted(to: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (address, count) = (listener.local_addr().expect("bound"), Arc::<AtomicUsize>::default());
    let counting = count.clone();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            counting.fetch_add(1, Relaxed);
            let server = TcpStream::connect(to).expect("it listens");
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (mut from, mut to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    (address, count)
}

#[test]
fn the_default_client_loses_nothing_and_keeps_its_connection() {
    let gateway = Gateway::start(&[]);
    let (address, connections) = counted(gateway.internal);
    let mut command = Command::new("java");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/java/Posts.java"));
    let output = command.arg(format!("http://{address}/v1/channels/news:java/publications")).arg("100").output();
    let output = output.unwrap_or_else(|error| panic!("java: {error}. A JDK is needed, 11 or newer: run deploy/native/requirement java"));
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("published 100"), "{said}");
    // The client may close one connection by itself.
    assert!(connections.load(Relaxed) <= 2, "{} connections for 100 requests", connections.load(Relaxed));
}
