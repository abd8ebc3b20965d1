//! Handlers that take the socket of their connection behind the head of a response.

use super::super::{HttpOptions, Socket, Takeover, TakeoverBody, serve, testing::Client};
use actix_web::{App, HttpRequest, HttpResponse, web};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
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
    let takeover = request.conn_data::<Takeover<Socket>>().expect("every connection has one");
    let body: TakeoverBody<Socket> = takeover.body(Duration::from_secs(20), |mut io| {
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

/// Waits until the library has let this number of connections go.
fn wait_for_permits(permits: &Semaphore, count: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let all = async { tokio::time::timeout(Duration::from_secs(20), permits.acquire_many(count)).await };
    drop(runtime.block_on(all).expect("in time").expect("open"));
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
fn requests_behind_it_are_not_answered_and_keep_nothing_alive() {
    let permits = Arc::new(Semaphore::new(4));
    let address = start(&permits);
    let small = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    for behind in [small.repeat(5000), format!("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n{}", "x".repeat(300_000))]
    {
        let mut client = Client::connect(address);
        client.send_some(format!("{small}GET /taken HTTP/1.1\r\nHost: a\r\n\r\n{behind}").as_bytes());
        client.receive_until("taken\n");
        wait_for_permits(&permits, 4);
    }
}

#[test]
fn a_client_that_leaves_ends_it() {
    const CONNECTIONS: u32 = 64;
    let permits = Arc::new(Semaphore::new(CONNECTIONS as usize));
    let address = start(&permits);
    for _ in 0..20 {
        Client::connect(address).send("GET /taken HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let mut client = Client::connect(address);
    client.send("GET /taken HTTP/1.1\r\nHost: a\r\n\r\n");
    client.receive_until("taken\n");
    // The server has accepted the others before.
    wait_for_permits(&permits, CONNECTIONS);
}
