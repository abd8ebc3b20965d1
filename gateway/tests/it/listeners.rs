//! Both listeners of a gateway's own process, as any HTTP client meets them.

use shared_proto::http::testing::{
    Answer, Client, OFFERS, Process, counts_malformed_requests, counts_refused_connections, free_address, keeps_connections,
    keeps_connections_for_a_second, with_open_files,
};
use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// A gateway as a separate process.
pub(crate) struct Gateway {
    process: Process,
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
}

impl Gateway {
    /// Starts a gateway with the settings for development and these.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::run(Command::new(env!("CARGO_BIN_EXE_gateway")), settings)
    }

    /// Starts a gateway with the settings of a file.
    pub(crate) fn with_file(file: &Path) -> Self {
        Self::run_with(Command::new(env!("CARGO_BIN_EXE_gateway")), file, &[])
    }

    pub(crate) fn run(command: Command, settings: &[&str]) -> Self {
        Self::run_with(command, concat!(env!("CARGO_MANIFEST_DIR"), "/config/dev.toml").as_ref(), settings)
    }

    fn run_with(mut command: Command, file: &Path, settings: &[&str]) -> Self {
        let (public, internal) = (free_address(), free_address());
        command.arg("--config").arg(file);
        let addresses = [format!("public.address={public}"), format!("internal.address={internal}")];
        for setting in addresses.iter().map(String::as_str).chain(settings.iter().copied()) {
            command.args(["--set", setting]);
        }
        Self { process: Process::start(&mut command, internal), public, internal }
    }

    /// Waits until the log has what it needs. Returns all of it.
    pub(crate) fn wait_for_log(&self, is_enough: impl Fn(&str) -> bool) -> String {
        self.process.wait_for_log(is_enough)
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal(rustix::process::Signal::HUP);
    }

    /// The number of files that the process has open. Needs `node.core_dumps = true`, because otherwise only root may look.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("it runs").count()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = self.process.id().try_into().ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("it runs"), signal).expect("it takes signals");
    }
}

/// A request that publishes over REST, with these further header lines.
fn publish(lines: &str) -> String {
    let body = r#"{"data":"x"}"#;
    format!(
        "POST /v1/channels/news:c/publications HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer dev\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{lines}\r\n{body}",
        body.len()
    )
}

#[test]
fn connections_stay_open_after_upgrade_offers() {
    let gateway = Gateway::start(&[]);
    let demo = "POST /demo/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"user\":\"alice\"}";
    let chunked =
        "POST /v1/publications HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer dev\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    for (address, request) in [
        (gateway.public, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
        (gateway.public, demo),
        (gateway.public, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"),
        (gateway.internal, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"),
        (gateway.internal, &publish("")),
        (gateway.internal, chunked),
    ] {
        keeps_connections(address, request);
    }
}

#[test]
fn idle_connections_stay_open_for_the_configured_time() {
    let gateway = Gateway::start(&["public.keep_alive=1s", "internal.keep_alive=1s"]);
    keeps_connections_for_a_second(gateway.public);
    keeps_connections_for_a_second(gateway.internal);
}

#[test]
fn a_hundred_posts_that_offer_http_2_go_over_one_connection() {
    let gateway = Gateway::start(&[]);
    let mut client = Client::connect(gateway.internal);
    for _ in 0..100 {
        let answer = client.request(publish(OFFERS[0]));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[test]
fn malformed_requests_are_counted_and_cause_no_error_lines() {
    let gateway = Gateway::start(&[]);
    for (listener, name) in [(gateway.public, "public"), (gateway.internal, "internal")] {
        let labels = format!("listener=\"{name}\"");
        counts_malformed_requests(&gateway.process, listener, gateway.internal, "switchboard_http_connection_errors_total", &labels);
    }
}

#[test]
fn refused_connections_are_counted() {
    for name in ["public", "internal"] {
        let limit = if name == "public" { "public.http_connections=1" } else { "internal.connections=1" };
        let gateway = Gateway::start(&[limit, &format!("{name}.request_timeout=200ms")]);
        let listener = if name == "public" { gateway.public } else { gateway.internal };
        counts_refused_connections(listener, gateway.internal, "switchboard_http_connection_errors_total", &format!("listener=\"{name}\""));
    }
}

#[test]
fn a_link_opens_with_any_further_upgrade_offers() {
    let gateway = Gateway::start(&[]);
    for offered in ["websocket", "h2c, websocket", "websocket, h2c", "h2c\r\nUpgrade: WebSocket"] {
        let mut client = Client::connect(gateway.internal);
        let answer = client.request(format!(
            "GET /v1/services/chatbot/link HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer dev\r\nConnection: Upgrade\r\nUpgrade: {offered}\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        assert_eq!(answer.status, 101, "{offered}: {answer:?}");
        assert!(answer.head.contains("\r\nswitchboard-node: "), "the response names the node: {answer:?}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the gateway is suspended for this time, so there is no event to wait for")]
fn a_request_that_arrives_while_the_gateway_is_suspended_is_answered() {
    let gateway = Gateway::start(&["public.request_timeout=2s", "internal.request_timeout=2s"]);
    let signal = |name: &str| {
        let done = Command::new("kill").args(["-s", name, &gateway.process.id().to_string()]).status().expect("kill is there");
        assert!(done.success());
    };
    let addresses = [gateway.public, gateway.internal];
    let mut clients = addresses.map(Client::connect);
    // The gateway accepts connections in order, so an answer to a later one shows that it has accepted these.
    let _others = addresses.map(|address| Client::connect(address).request("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"));
    signal("STOP");
    for client in &mut clients {
        client.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    thread::sleep(Duration::from_millis(3500));
    signal("CONT");
    for client in &mut clients {
        let answer = client.answer();
        assert_eq!((answer.status, &*answer.body), (200, "alive\n"));
    }
}

const UPGRADE: &str = "GET /connection/websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Sends a request over new connections until one is not closed at once.
fn request(address: SocketAddr, request: &str) -> (Client, Answer) {
    let began = Instant::now();
    loop {
        let mut client = Client::connect(address);
        if let Some(answer) = client.try_request(request) {
            return (client, answer);
        }
        assert!(began.elapsed() < Duration::from_secs(30), "all connections are refused: {request}");
    }
}

#[test]
fn rest_and_probes_are_answered_with_a_low_limit_of_open_files() {
    let probe = "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let gateway = Gateway::run(
        with_open_files(200, env!("CARGO_BIN_EXE_gateway")),
        &["workers=2", "public.request_timeout=1s", "connection.connect_timeout=5m"],
    );
    for setting in ["public.max_connections", "public.http_connections", "internal.connections"] {
        let is_warning = |line: &str| line.contains("WARN") && line.contains(setting) && line.contains("open_files=200");
        gateway.process.wait_for_log(|log| log.lines().any(is_warning));
    }
    let mut sockets = Vec::new();
    let refusal = loop {
        match request(gateway.public, UPGRADE) {
            (client, answer) if answer.status == 101 => sockets.push(client),
            (_, answer) => break answer,
        }
    };
    assert!(sockets.len() > 8, "{}", sockets.len());
    assert!(refusal.status == 503 && refusal.head.contains("content-type: application/problem+json\r\n"), "{refusal:?}");
    assert!(refusal.body.contains(r#""code":"connection_limit""#), "{refusal:?}");
    // Silent clients occupy all remaining connections.
    let silent: Vec<_> = (0..400).map(|_| Client::connect(gateway.public)).collect();
    for _ in 0..10 {
        assert_eq!(Client::connect(gateway.internal).request(probe).status, 200);
        assert_eq!(Client::connect(gateway.internal).request(publish("Connection: close\r\n")).status, 200);
    }
    // The request timeout of one second closes them.
    assert_eq!(request(gateway.public, probe).1.status, 200);
    assert_eq!(request(gateway.public, UPGRADE).1.status, 503);
    sockets.pop();
    let began = Instant::now();
    while request(gateway.public, UPGRADE).1.status != 101 {
        assert!(began.elapsed() < Duration::from_secs(30), "the closed connection does not free its place");
    }
    drop(silent);
}
