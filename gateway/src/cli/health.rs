//! `gateway health`: asks the gateway on this machine whether it is ready.

use serde::Deserialize;
use std::{
    fmt,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// Time for the whole answer.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// Largest answer, in bytes.
const ANSWER_BYTES: usize = 64 << 10;

/// What the gateway answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It serves, perhaps without some channels, for these reasons.
    Ready(Vec<String>),
    /// It does not serve, for these reasons.
    NotReady(Vec<String>),
    /// It does not answer in time, or something else answers.
    NoAnswer(String),
}

#[derive(Deserialize)]
struct Answer {
    ready: bool,
    #[serde(default)]
    reasons: Vec<String>,
}

impl Health {
    /// Asks `/readyz` of the internal listener at this address.
    pub(crate) fn ask(internal: SocketAddr) -> Self {
        let address = reachable(internal);
        let no_answer = |why: &dyn fmt::Display| {
            let cure = "Start the gateway with the same settings, or name its address: --set internal.address=host:port";
            Self::NoAnswer(format!("no gateway answers at http://{address}/readyz within {} s: {why}. {cure}", TIME_LIMIT.as_secs()))
        };
        match exchange(address, Instant::now() + TIME_LIMIT) {
            Ok(answer) => parse(&answer).unwrap_or_else(|| no_answer(&"this is no answer of a gateway")),
            Err(error) => no_answer(&error),
        }
    }

    /// Whether the gateway is ready.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(reasons) if reasons.is_empty() => f.write_str("ready"),
            Self::Ready(reasons) => write!(f, "ready, with problems: {}", reasons.join("; ")),
            Self::NotReady(reasons) if reasons.is_empty() => f.write_str("not ready"),
            Self::NotReady(reasons) => write!(f, "not ready: {}", reasons.join("; ")),
            Self::NoAnswer(why) => f.write_str(why),
        }
    }
}

/// The address at which a listener on all addresses is reached from its own machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn exchange(address: SocketAddr, deadline: Instant) -> io::Result<Vec<u8>> {
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok::<_, io::Error>(left) }
    };
    let mut socket = TcpStream::connect_timeout(&address, left()?)?;
    socket.set_write_timeout(Some(left()?))?;
    socket.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
    while answer.len() < ANSWER_BYTES {
        socket.set_read_timeout(Some(left()?))?;
        match socket.read(&mut chunk)? {
            0 => break,
            count => answer.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
    }
    Ok(answer)
}

/// The answer of `/readyz`: its status, and its reasons in JSON. `None`: a gateway does not answer like this.
fn parse(answer: &[u8]) -> Option<Health> {
    let (head, body) = std::str::from_utf8(answer).ok()?.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let body: Answer = serde_json::from_str(body).ok()?;
    match (status, body.ready) {
        ("200", true) => Some(Health::Ready(body.reasons)),
        ("503", false) => Some(Health::NotReady(body.reasons)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    #[test]
    fn an_answer_is_ready_or_not_or_none_of_a_gateway() {
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n";
        let unavailable = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
        for (answer, expected) in [
            (format!("{ok}{{\"ready\":true}}"), Some((true, "ready"))),
            (format!("{ok}{{\"ready\":true,\"reasons\":[\"a is down\"]}}"), Some((true, "ready, with problems: a is down"))),
            (format!("{unavailable}{{\"ready\":false,\"reasons\":[\"a\",\"b\"]}}"), Some((false, "not ready: a; b"))),
            (format!("{unavailable}{{\"ready\":false}}"), Some((false, "not ready"))),
            (format!("{ok}{{\"ready\":false}}"), None),
            (format!("{unavailable}{{\"ready\":true}}"), None),
            (format!("{ok}<html>"), None),
            ("HTTP/1.1 200 OK\r\n".into(), None),
            ("HTTP/1.1 2".into(), None),
            (String::new(), None),
        ] {
            let health = parse(answer.as_bytes());
            let found = health.as_ref().map(|health| (health.is_ready(), health.to_string()));
            assert_eq!(found, expected.map(|(is_ready, text)| (is_ready, text.to_owned())), "{answer}");
        }
    }

    #[test]
    fn a_listener_on_all_addresses_is_asked_at_the_loopback_address() {
        for (listens, asked) in [("0.0.0.0:8001", "127.0.0.1:8001"), ("[::]:8001", "[::1]:8001"), ("192.0.2.1:8001", "192.0.2.1:8001")] {
            assert_eq!(reachable(listens.parse().expect("an address")).to_string(), asked);
        }
    }

    #[test]
    fn what_does_not_answer_is_named_with_a_cure() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let silent = thread::spawn(move || listener.accept().map(|(socket, _)| (socket, listener)));
        let began = Instant::now();
        let health = Health::ask(address);
        assert!(began.elapsed() >= TIME_LIMIT && matches!(health, Health::NoAnswer(_)), "{health}");
        drop(silent.join());
        let text = Health::ask(address).to_string();
        assert!(text.contains(&format!("http://{address}/readyz")) && text.contains("--set internal.address="), "{text}");
    }
}
