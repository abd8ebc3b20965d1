//! Handlers that take the socket of their connection behind the head of a response.

use super::super::{HttpOptions, Takeover, TakeoverBody, serve, testing::Client};
use actix_web::{App, HttpRequest, HttpResponse, web};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Starts a server with one path whose responses do not end: the new owner of the socket sends back what it receives.
fn start(permits: &Arc<Semaphore>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let options = HttpOptions { permits: permits.clone(), allow_half_closed: false, ..HttpOptions::default() };
    std::thread::spawn(move || {
        let app = || App::new().route("/hello", web::get().to(async || "hello")).route("/taken", web::get().to(take));
        let server = serve("test", listener, &options, |_| false, app).expect("it listens");
        actix_web::rt::System::new().block_on(server).expect("it serves");
    });
    address
}

async fn take(request: HttpRequest) -> HttpResponse {
    let takeover = request.conn_data::<Takeover<TcpStream>>().expect("every connection has one");
    let body: TakeoverBody<TcpStream> = takeover.body(|mut io| {
        actix_web::rt::spawn(async move {
            // The client may leave at any time.
            let mut written = io.write_all(b"taken\n").await;
            let mut bytes = [0; 64];
            while written.is_ok() {
                let Ok(count @ 1..) = io.read(&mut bytes).await else { return };
                written = io.write_all(&bytes[..count]).await;
            }
        });
    });
    let mut response = HttpResponse::Ok().force_close().body(body);
    response.head_mut().no_chunking(true);
    response
}

fn wait_for_permits(permits: &Semaphore, count: usize) {
    for _ in 0..2000 {
        if permits.available_permits() == count {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{} permits are available", permits.available_permits());
}

#[test]
fn the_new_owner_has_the_socket_behind_the_head() {
    let permits = Arc::new(Semaphore::new(4));
    let address = start(&permits);
    for version in ["1.1", "1.0"] {
        let mut client = Client::connect(address);
        client.send(format!("GET /taken HTTP/{version}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"));
        let head = client.receive_until("taken\n").to_lowercase();
        assert!(head.starts_with(&format!("http/{version} 200 ok\r\n")) && !head.contains("keep-alive"), "{head}");
        // It is the default of HTTP/1.0.
        assert_eq!(head.contains("connection: close"), version == "1.1", "{head}");
        assert!(!head.contains("transfer-encoding") && !head.contains("content-length"), "{head}");
        assert!(head.ends_with("\r\n\r\ntaken\n"), "{head}");
        // The library has let the connection go.
        wait_for_permits(&permits, 4);
        client.send("still here");
        assert_eq!(client.receive_until("here"), "still here");
    }
}

#[test]
fn responses_before_come_first() {
    let permits = Arc::new(Semaphore::new(4));
    let mut client = Client::connect(start(&permits));
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /taken HTTP/1.1\r\nHost: a\r\n\r\n");
    let all = client.receive_until("taken\n");
    let (first, second) = (all.find("hello").expect("the first response"), all.rfind("HTTP/1.1 200").expect("the second"));
    assert!(first < second, "{all}");
}

#[test]
fn a_client_that_leaves_ends_it() {
    let permits = Arc::new(Semaphore::new(1));
    let address = start(&permits);
    for _ in 0..20 {
        let mut client = Client::connect(address);
        client.send("GET /taken HTTP/1.1\r\nHost: a\r\n\r\n");
        drop(client);
        wait_for_permits(&permits, 1);
    }
    let mut client = Client::connect(address);
    client.send("GET /taken HTTP/1.1\r\nHost: a\r\n\r\n");
    client.receive_until("taken\n");
}
