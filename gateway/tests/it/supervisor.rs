//! What a gateway reports to systemd.

use super::{
    listeners::Gateway,
    store_errors::{start_redis, until},
};
use shared_proto::http::testing::{Client, NotifySocket};
use std::process::Command;

const GATEWAY: &str = env!("CARGO_BIN_EXE_gateway");

#[tokio::test]
async fn a_supervisor_learns_that_a_gateway_is_ready_once_redis_answers() {
    let mut redis = start_redis().await;
    redis.kill();
    let supervisor = NotifySocket::bind();
    let mut command = Command::new(GATEWAY);
    command.env("NOTIFY_SOCKET", &supervisor.name);
    let url = format!("redis.url=redis://{}", redis.address());
    let gateway = Gateway::run(command, &["broker.kind=redis", &url, "drain.delay=1h"]);
    let first = supervisor.next();
    assert!(first.starts_with("STATUS=not ready: ") && first.contains("Redis"), "{first}");

    redis.resume().await;
    let ready = supervisor.next_but(|message| message.starts_with("STATUS=not ready: "));
    assert_eq!(ready, "READY=1\nSTATUS=ready");
    let mut client = Client::connect(gateway.internal);
    assert_eq!(client.request("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);

    redis.kill();
    let broken = supervisor.next();
    assert!(broken.starts_with("STATUS=not ready: "), "{broken}");
    redis.resume().await;
    assert_eq!(supervisor.next_but(|message| message.starts_with("STATUS=not ready: ")), "STATUS=ready", "it is started once");

    gateway.terminate();
    assert_eq!(supervisor.next(), "STOPPING=1\nSTATUS=shutting down");
}

#[test]
fn an_unreachable_supervisor_is_one_warning() {
    let mut command = Command::new(GATEWAY);
    command.env("NOTIFY_SOCKET", "/nowhere/notify");
    let gateway = Gateway::run(command, &["drain.delay=1h"]);
    gateway.wait_for_log(|log| log.contains("cannot report to the supervisor"));
    gateway.terminate();
    gateway.wait_for_log(|log| log.contains("a second signal ends the process at once"));
    // After this answer it has tried to report the end.
    until("the drain", || {
        let asked = Command::new(GATEWAY).args(["health", "--set", &format!("internal.address={}", gateway.internal)]).output();
        asked.expect("run").stdout.starts_with(b"not ready: ")
    });
    gateway.wait_for_log(|log| {
        assert_eq!(log.matches("cannot report to the supervisor").count(), 1, "{log}");
        true
    });
}
