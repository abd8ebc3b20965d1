//! How long idle connections stay open, and the `Keep-Alive` header that announces it.

use super::super::testing::Client;
use super::server::shared;

const KEEP_ALIVE_HEADER: &str = "\r\nkeep-alive: timeout=75\r\n";

#[test]
fn a_response_on_a_persistent_connection_has_the_keep_alive_header() {
    let mut client = Client::connect(shared());
    for request in [
        "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
        "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "POST /refuse HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ] {
        let answer = client.request(request);
        assert!(answer.head.contains(KEEP_ALIVE_HEADER), "{request}: {}", answer.head);
    }
}

#[test]
fn the_last_response_on_a_connection_has_no_keep_alive_header() {
    for request in [
        "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /hello HTTP/1.0\r\n\r\n",
        // The handler does not read the body.
        "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
        "what is this\r\n\r\n",
    ] {
        let mut client = Client::connect(shared());
        let answer = client.request(request);
        assert!(!answer.head.contains("keep-alive"), "{request}: {}", answer.head);
        assert!(client.is_closed(), "{request}");
    }
}
