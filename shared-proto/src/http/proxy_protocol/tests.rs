use super::ProxyProtocol;
use super::header::{BINARY_BYTES, Header, parse};
use super::reader::TIME_LIMIT;
use crate::http::errors::Cause;
use crate::http::errors::Fault;
use proptest::prelude::*;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn version_2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    [SIGNATURE, &[command, family], &u16::try_from(body.len()).expect("short").to_be_bytes(), body].concat()
}

fn tcp4() -> Vec<u8> {
    version_2(0x21, 0x11, &[203, 0, 113, 9, 10, 0, 0, 1, 0xC8, 0x01, 0x01, 0xBB])
}

fn tcp6() -> Vec<u8> {
    let mut body = [0; 36];
    body[..4].copy_from_slice(&[0x20, 0x01, 0x0D, 0xB8]);
    body[15] = 9;
    body[32..34].copy_from_slice(&[0xC8, 0x01]);
    version_2(0x21, 0x21, &body)
}

fn source(text: &str) -> Option<SocketAddr> {
    (!text.is_empty()).then(|| text.parse().expect("an address"))
}

#[test]
fn complete_headers_name_the_client() {
    let extended = version_2(0x21, 0x11, &[&tcp4()[16..], &[0x04, 0, 1, 7]].concat());
    let cases: [(&[u8], &str); 13] = [
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 51201 443\r\n", "203.0.113.9:51201"),
        (b"PROXY TCP6 2001:db8::9 ::1 51201 443\r\n", "[2001:db8::9]:51201"),
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 0 65535\r\n", "203.0.113.9:0"),
        (b"PROXY UNKNOWN\r\n", ""),
        (b"PROXY UNKNOWN ffff::f ffff::f 65535 65535\r\n", ""),
        (&tcp4(), "203.0.113.9:51201"),
        (&tcp6(), "[2001:db8::9]:51201"),
        (&extended, "203.0.113.9:51201"),
        // A health check of the proxy, with and without addresses.
        (&version_2(0x20, 0x00, &[]), ""),
        (&version_2(0x20, 0x11, &tcp4()[16..]), ""),
        (&version_2(0x21, 0x00, &[1, 2, 3]), ""),
        (&version_2(0x21, 0x31, &[0; 216]), ""),
        (&version_2(0x21, 0x11, &[&tcp4()[16..], &[0; BINARY_BYTES - 28]].concat()), "203.0.113.9:51201"),
    ];
    for (bytes, expected) in cases {
        let header = Header { length: bytes.len(), source: source(expected) };
        assert_eq!(parse(bytes), Ok(Some(header)), "{:?}", String::from_utf8_lossy(bytes));
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut]), Ok(None), "{cut} of {:?}", String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn malformed_headers_are_refused_with_the_reason() {
    let none = "does not begin with a header";
    let first = "version 1 is malformed";
    let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 100]].concat();
    let cases: [(&[u8], &str); 23] = [
        (b"GET / HTTP/1.1\r\n", none),
        (b"PRI * HTTP/2.0\r\n", none),
        (b"proxy TCP4", none),
        (b"\r\nGET", none),
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 51201 443\n", first),
        (b"PROXY\r\n", none),
        (b"PROXY TCP5 203.0.113.9 10.0.0.1 1 2\r\n", first),
        (b"PROXY UDP4 203.0.113.9 10.0.0.1 1 2\r\n", first),
        (b"PROXY TCP4 2001:db8::9 ::1 1 2\r\n", first),
        (b"PROXY TCP6 203.0.113.9 10.0.0.1 1 2\r\n", first),
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 1\r\n", first),
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 1 2 3\r\n", first),
        (b"PROXY TCP4 203.0.113.9  10.0.0.1 1 2\r\n", first),
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 65536 2\r\n", first),
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 +1 2\r\n", first),
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 01 2\r\n", first),
        (&long, "no line end within 107 bytes"),
        (&version_2(0x11, 0x11, &[0; 12]), "another version"),
        (&version_2(0x22, 0x11, &[0; 12]), "an unknown command"),
        (&version_2(0x21, 0x11, &[0; 11]), "too short for its addresses"),
        (&version_2(0x21, 0x21, &[0; 35]), "too short for its addresses"),
        (&version_2(0x21, 0x12, &[0; 12]), "for no TCP connection"),
        (&version_2(0x21, 0x11, &[0; BINARY_BYTES - 15]), "more than 4096 bytes"),
    ];
    for (bytes, reason) in cases {
        let found = parse(bytes).map_err(|malformed| malformed.to_string());
        assert!(found.as_ref().is_err_and(|text| text.contains(reason)), "{:?}: {found:?}", String::from_utf8_lossy(bytes));
    }
}

fn anyone() -> ProxyProtocol {
    ProxyProtocol { accepts: Arc::new(|_| true) }
}

const PEER: Option<SocketAddr> = Some(SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)), 7));

#[tokio::test]
async fn a_header_in_pieces_is_read_and_what_follows_is_kept() {
    for (header, client) in [(tcp4(), source("203.0.113.9:51201")), (version_2(0x20, 0, &[]), PEER)] {
        let (mut proxy, mut io) = tokio::io::duplex(3);
        let sent = [&header[..], b"GET"].concat();
        let anyone = anyone();
        let (begun, _) = tokio::join!(anyone.begin(&mut io, PEER), proxy.write_all(&sent));
        let begun = begun.expect("a header");
        assert_eq!(begun.client, client);
        let (mut rest, missing) = (begun.rest.to_vec(), 3 - begun.rest.len());
        rest.resize(3, 0);
        io.read_exact(&mut rest[3 - missing..]).await.expect("sent");
        assert_eq!(rest, b"GET");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_header_is_refused_within_a_second() {
    let begin = async |sent: &[u8], closes: bool| {
        let (mut proxy, mut io) = tokio::io::duplex(64);
        proxy.write_all(sent).await.expect("read");
        let _open = (!closes).then_some(proxy);
        let began = Instant::now();
        let fault = anyone().begin(&mut io, PEER).await.expect_err("no header");
        (fault, began.elapsed())
    };
    for (sent, closes, cause, after) in [
        (&b"GET / HTTP/1.1\r\n"[..], false, Some(Cause::ProxyHeader), Duration::ZERO),
        (b"PROXY TCP4 ", true, Some(Cause::ProxyHeader), Duration::ZERO),
        (b"PROXY TCP4 ", false, Some(Cause::ProxyTimeout), TIME_LIMIT),
        (b"", false, Some(Cause::ProxyTimeout), TIME_LIMIT),
        (b"", true, None, Duration::ZERO),
    ] {
        let (fault, elapsed) = begin(sent, closes).await;
        let found = if let Fault::Refused(cause, _) = fault { Some(cause) } else { None };
        assert_eq!((found, elapsed.as_secs()), (cause, after.as_secs()), "{:?}", String::from_utf8_lossy(sent));
    }
}

#[tokio::test]
async fn only_trusted_peers_may_send_a_header() {
    let strict = ProxyProtocol { accepts: Arc::new(|address| address == PEER.expect("set").ip()) };
    let header = tcp4();
    assert!(strict.begin(&mut &header[..], PEER).await.is_ok());
    let mapped = source("[::ffff:10.0.0.2]:7");
    assert!(strict.begin(&mut &header[..], mapped).await.is_ok());
    let stranger = strict.begin(&mut &header[..], source("192.0.2.1:7")).await.expect_err("no proxy");
    assert!(matches!(&stranger, Fault::Refused(Cause::ProxyUntrusted, why) if why.contains("192.0.2.1")), "{stranger:?}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), line in "[PROXYTCPUNKW46 0-9a-f:.\r\n]{0,120}") {
        for bytes in [bytes.clone(), line.into_bytes(), [SIGNATURE, &bytes].concat()] {
            if let Ok(Some(header)) = parse(&bytes) {
                prop_assert!(header.length <= bytes.len());
                // More bytes change nothing.
                prop_assert_eq!(parse(&[&bytes[..], b"more"].concat()), Ok(Some(header)));
            }
        }
    }

    #[test]
    fn every_address_is_read_back(octets in any::<[u8; 16]>(), port in any::<u16>()) {
        let v6 = SocketAddr::new(std::net::Ipv6Addr::from(octets).into(), port);
        let v4 = SocketAddr::new(std::net::Ipv4Addr::from([octets[0], octets[1], octets[2], octets[3]]).into(), port);
        for (address, family, destination) in [(v4, "TCP4", "0.0.0.0"), (v6, "TCP6", "::")] {
            let text = format!("PROXY {family} {} {destination} {port} 1\r\n", address.ip());
            prop_assert_eq!(parse(text.as_bytes()), Ok(Some(Header { length: text.len(), source: Some(address) })));
        }
        let ports = [port.to_be_bytes(), [0, 1]].concat();
        let body4 = [&octets[..4], &[0; 4], &ports].concat();
        let body6 = [&octets[..], &[0; 16], &ports].concat();
        for (address, family, body) in [(v4, 0x11, body4), (v6, 0x21, body6)] {
            let bytes = version_2(0x21, family, &body);
            prop_assert_eq!(parse(&bytes), Ok(Some(Header { length: bytes.len(), source: Some(address) })));
        }
    }
}
