//! Heads that come late, or come while this process stands still.

use super::super::deadline::HeadTimeout;
use super::super::testing::Client;
use super::super::{ConnectionErrors, RequestStream};
use super::server::shared;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, advance, sleep};

const ALLOWED: Duration = Duration::from_secs(5);
const HEAD: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn stream() -> (DuplexStream, RequestStream<DuplexStream>) {
    let (client, server) = duplex(4096);
    (client, RequestStream::new(server, Rc::new(|_| false), ALLOWED, Arc::new(ConnectionErrors::new("test"))))
}

async fn read(stream: &mut RequestStream<DuplexStream>) -> io::Result<String> {
    let mut chunk = [0; 256];
    let count = stream.read(&mut chunk).await?;
    Ok(String::from_utf8_lossy(&chunk[..count]).into_owned())
}

async fn is_late(stream: &mut RequestStream<DuplexStream>) {
    let error = read(stream).await.expect_err("too late");
    assert!(HeadTimeout::is(&error), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_first_head_has_its_time_whether_it_has_begun_or_not() {
    for begun in ["", "\r\n", "GET / HT"] {
        let (mut client, mut stream) = stream();
        client.write_all(begun.as_bytes()).await.expect("room");
        let started = Instant::now();
        is_late(&mut stream).await;
        assert_eq!(started.elapsed().as_secs(), ALLOWED.as_secs(), "{begun}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_head_has_its_time_once_it_has_begun() {
    let (mut client, mut stream) = stream();
    client.write_all(HEAD.as_bytes()).await.expect("room");
    assert_eq!(read(&mut stream).await.expect("in time"), HEAD);
    tokio::select! {
        // How long an idle connection is kept is the HTTP library's affair.
        read = read(&mut stream) => panic!("{read:?}"),
        () = sleep(Duration::from_mins(10)) => {}
    }
    client.write_all(b"\r\nGET").await.expect("room");
    let started = Instant::now();
    is_late(&mut stream).await;
    assert_eq!(started.elapsed().as_secs(), ALLOWED.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_has_no_more_time_for_each_piece() {
    let (mut client, mut stream) = stream();
    let sending = async {
        for byte in HEAD.as_bytes() {
            client.write_all(&[*byte]).await.expect("room");
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = is_late(&mut stream) => {}
        () = sending => panic!("it came whole"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_while_the_process_stood_still_is_in_time() {
    let (mut client, mut stream) = stream();
    tokio::select! {
        biased;
        read = read(&mut stream) => panic!("{read:?}"),
        () = std::future::ready(()) => {}
    }
    // The clock has gone on before anything is looked at.
    advance(Duration::from_mins(1)).await;
    tokio::select! {
        biased;
        read = read(&mut stream) => panic!("a client may have sent what cannot be read yet: {read:?}"),
        () = std::future::ready(()) => {}
    }
    client.write_all(HEAD.as_bytes()).await.expect("room");
    assert_eq!(read(&mut stream).await.expect("in time"), HEAD);
}

#[test]
fn a_head_that_does_not_come_ends_the_connection_without_a_word() {
    let options = super::super::HttpOptions { request_timeout: Duration::from_millis(100), ..Default::default() };
    let address = super::server::start(&options);
    for begun in ["", "GET / HTTP/1.1\r\nHos"] {
        let mut client = Client::connect(address);
        client.send(begun);
        assert!(client.is_closed(), "{begun}");
    }
    assert_eq!(Client::connect(shared()).ask("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").body, "hello");
}
