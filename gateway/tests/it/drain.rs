//! The end of a gateway's process: first it is not ready, then it drains.

use super::{
    client,
    listeners::Gateway,
    store_errors::{until, upgraded},
};
use shared_proto::http::testing::{Answer, Client};
use std::time::{Duration, Instant};

const PATH: &str = "/connection/websocket";

fn readiness(gateway: &Gateway) -> [Option<u16>; 2] {
    [gateway.public, gateway.internal].map(|address| {
        let answer: Option<Answer> = Client::try_connect(address)?.try_request("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
        answer.map(|answer| answer.status)
    })
}

#[test]
fn before_the_drain_a_node_is_not_ready_and_serves_everybody() {
    let gateway = Gateway::start(&["drain.delay=1h", "drain.window=0s"]);
    let mut early = upgraded(gateway.public, PATH);
    assert_eq!(readiness(&gateway), [Some(200); 2]);
    gateway.terminate();
    until("the end of readiness", || readiness(&gateway) == [Some(503); 2]);
    let mut late = upgraded(gateway.public, PATH);
    for client in [&mut early, &mut late] {
        client.send(&client::masked(0x81, br#"{"id":1,"connect":{}}"#));
        assert!(client.frame().is_some_and(|frame| frame.payload.starts_with(br#"{"id":1,"connect":"#)), "it is served");
    }
    upgraded(gateway.internal, "/v1/services/chatbot/link");
    gateway.terminate();
    for mut client in [early, late] {
        client.reset();
    }
}

#[test]
fn the_drain_begins_after_the_delay() {
    let delay = Duration::from_millis(700);
    let gateway = Gateway::start(&["drain.delay=700ms", "drain.window=0s"]);
    let mut client = upgraded(gateway.public, PATH);
    client.send(&client::masked(0x81, br#"{"id":1,"connect":{}}"#));
    client.frame().expect("a reply");
    let asked = Instant::now();
    gateway.terminate();
    let close = client.frame().expect("a close frame");
    assert_eq!((close.opcode, close.payload.get(..2)), (8, Some(&3001_u16.to_be_bytes()[..])));
    assert!(asked.elapsed() >= delay, "after {:?}", asked.elapsed());
    client.send(&client::masked(0x88, &3001_u16.to_be_bytes()));
    client.reset();
}
