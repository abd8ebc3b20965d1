//! Heads that arrive late, or while this process is suspended.

use super::super::deadline::Late;
use super::super::testing::Client;
use super::super::{ConnectionErrors, RequestStream, RequestTimes};
use super::server::shared;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, advance, sleep};

const LIMIT: Duration = Duration::from_secs(5);
const TIMES: RequestTimes = RequestTimes { head: LIMIT, body: BODY_LIMIT };
const BODY_LIMIT: Duration = Duration::from_secs(20);
const HEAD: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn stream() -> (DuplexStream, RequestStream<DuplexStream>) {
    let (client, server) = duplex(4096);
    (client, RequestStream::new(server, Rc::new(|_| false), TIMES, Arc::new(ConnectionErrors::new("test"))))
}

async fn read(stream: &mut RequestStream<DuplexStream>) -> io::Result<String> {
    let mut chunk = [0; 256];
    let count = stream.read(&mut chunk).await?;
    Ok(String::from_utf8_lossy(&chunk[..count]).into_owned())
}

async fn expect_timeout(stream: &mut RequestStream<DuplexStream>) {
    let error = read(stream).await.expect_err("too late");
    assert_eq!(Late::of(&error), Some(Late::Head), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_first_head_starts_with_the_connection() {
    for begun in ["", "\r\n", "GET / HT"] {
        let (mut client, mut stream) = stream();
        client.write_all(begun.as_bytes()).await.expect("room");
        let started = Instant::now();
        expect_timeout(&mut stream).await;
        assert_eq!(started.elapsed().as_secs(), LIMIT.as_secs(), "{begun}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_later_head_starts_with_its_first_byte() {
    let (mut client, mut stream) = stream();
    client.write_all(HEAD.as_bytes()).await.expect("room");
    assert_eq!(read(&mut stream).await.expect("in time"), HEAD);
    tokio::select! {
        // The HTTP library closes idle connections, not the stream.
        read = read(&mut stream) => panic!("{read:?}"),
        () = sleep(Duration::from_mins(10)) => {}
    }
    client.write_all(b"\r\nGET").await.expect("room");
    let started = Instant::now();
    expect_timeout(&mut stream).await;
    assert_eq!(started.elapsed().as_secs(), LIMIT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn further_pieces_of_a_slow_head_do_not_extend_its_time() {
    let (mut client, mut stream) = stream();
    let sending = async {
        for byte in HEAD.as_bytes() {
            client.write_all(&[*byte]).await.expect("room");
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = expect_timeout(&mut stream) => {}
        () = sending => panic!("the whole head arrived"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_in_drips_ends_the_connection() {
    for coding in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        let (mut client, mut stream) = stream();
        client.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\n{coding}\r\n\r\n").as_bytes()).await.expect("room");
        let started = Instant::now();
        let sending = async {
            loop {
                // A chunk of one byte.
                client.write_all(b"1\r\nx\r\n").await.expect("room");
                sleep(Duration::from_secs(3)).await;
            }
        };
        let reading = async {
            loop {
                if let Err(error) = read(&mut stream).await {
                    return error;
                }
            }
        };
        tokio::select! {
            error = reading => assert_eq!(Late::of(&error), Some(Late::Body), "{error}"),
            () = sending => {}
        }
        assert_eq!(started.elapsed().as_secs(), BODY_LIMIT.as_secs(), "{coding}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_arrives_while_the_process_is_suspended_is_in_time() {
    let (mut client, mut stream) = stream();
    tokio::select! {
        biased;
        read = read(&mut stream) => panic!("{read:?}"),
        () = std::future::ready(()) => {}
    }
    // A suspended process: the clock advances before the stream is polled.
    advance(Duration::from_mins(1)).await;
    tokio::select! {
        biased;
        read = read(&mut stream) => panic!("the head may wait in the kernel: {read:?}"),
        () = std::future::ready(()) => {}
    }
    client.write_all(HEAD.as_bytes()).await.expect("room");
    assert_eq!(read(&mut stream).await.expect("in time"), HEAD);
}

#[test]
fn a_late_head_closes_the_connection_without_a_response() {
    let options = super::super::HttpOptions { request_timeout: Duration::from_millis(100), ..Default::default() };
    let address = super::server::start(&options);
    for begun in ["", "GET / HTTP/1.1\r\nHos"] {
        let mut client = Client::connect(address);
        client.send(begun);
        assert!(client.is_closed(), "{begun}");
    }
    assert_eq!(Client::connect(shared()).request("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").body, "hello");
}
