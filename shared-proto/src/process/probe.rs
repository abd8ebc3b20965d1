//! The command `health`: asks a program on this machine whether it is ready.

use super::program::Program;
use crate::rest::ReadyBody;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time for the whole answer.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// Largest answer, in bytes.
const ANSWER_BYTES: usize = 64 << 10;

/// What a program answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Probed {
    /// Whether it serves.
    Answer(ReadyBody),
    /// It does not answer in time, or something else answers: what that is, and the cure.
    NoAnswer(String),
}

impl Probed {
    /// Whether the program is ready.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Answer(answer) if answer.ready)
    }
}

impl fmt::Display for Probed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => answer.fmt(f),
            Self::NoAnswer(why) => f.write_str(why),
        }
    }
}

/// Asks the program that listens at this address. Blocks for 2 s at most. `tls`: the listener has TLS.
pub fn probe(program: &Program, listens: SocketAddr, tls: Option<Arc<ClientConfig>>) -> Probed {
    let (name, key, address) = (program.name, program.address, reachable(listens));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let no_answer = |why: &dyn fmt::Display| {
        let cure = format!("Start the {name} with the same settings, or name its address: --set {key}=host:port");
        let limit = TIME_LIMIT.as_secs();
        Probed::NoAnswer(format!("no {name} answers at {scheme}://{address}/readyz within {limit} s: {why}. {cure}"))
    };
    match exchange(address, Instant::now() + TIME_LIMIT, tls) {
        Ok(answer) => parse(&answer).map_or_else(|| no_answer(&format!("this is no answer of a {name}")), Probed::Answer),
        Err(error) => no_answer(&error),
    }
}

/// TLS to a listener of this machine. Believes every certificate, because none has the name of an address that only this machine uses: as without TLS,
/// whatever listens there may answer, and it learns nothing. `own` is the certificate that the listener may ask for.
pub fn trusting(own: Option<Arc<CertifiedKey>>) -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let every = Every(provider.signature_verification_algorithms);
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder =
        builder.expect("the provider has the algorithms of its versions").dangerous().with_custom_certificate_verifier(Arc::new(every));
    Arc::new(match own {
        Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        None => builder.with_no_client_auth(),
    })
}

/// Believes every certificate whose key the listener has.
#[derive(Debug)]
struct Every(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Every {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// A connection, with or without TLS.
trait Socket: Read + Write {}

impl<T: Read + Write> Socket for T {}

/// The address at which a listener on all addresses is reached from its own machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn exchange(address: SocketAddr, deadline: Instant, tls: Option<Arc<ClientConfig>>) -> io::Result<Vec<u8>> {
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok::<_, io::Error>(left) }
    };
    let socket = TcpStream::connect_timeout(&address, left()?)?;
    socket.set_write_timeout(Some(left()?))?;
    socket.set_read_timeout(Some(left()?))?;
    let timer = socket.try_clone()?;
    let mut socket: Box<dyn Socket> = match tls {
        Some(config) => Box::new(StreamOwned::new(ClientConnection::new(config, address.ip().into()).map_err(io::Error::other)?, socket)),
        None => Box::new(socket),
    };
    socket.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
    while answer.len() < ANSWER_BYTES {
        timer.set_read_timeout(Some(left()?))?;
        match socket.read(&mut chunk)? {
            0 => break,
            count => answer.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
    }
    Ok(answer)
}

/// The answer of `/readyz`. `None`: `/readyz` does not answer like this.
fn parse(answer: &[u8]) -> Option<ReadyBody> {
    let (head, body) = std::str::from_utf8(answer).ok()?.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let answer: ReadyBody = serde_json::from_str(body).ok()?;
    (status == if answer.ready { "200" } else { "503" }).then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::settings::load::example::PROGRAM;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn an_answer_is_ready_or_not_or_none_of_a_program() {
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
            let found = parse(answer.as_bytes()).map(|answer| (answer.ready, answer.to_string()));
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
        let probed = probe(&PROGRAM, address, None);
        assert!(began.elapsed() >= TIME_LIMIT && matches!(probed, Probed::NoAnswer(_)), "{probed}");
        drop(silent.join());
        let text = probe(&PROGRAM, address, None).to_string();
        assert!(text.contains(&format!("no example answers at http://{address}/readyz within 2 s: ")), "{text}");
        assert!(text.ends_with("Start the example with the same settings, or name its address: --set http.address=host:port"), "{text}");
    }
}
