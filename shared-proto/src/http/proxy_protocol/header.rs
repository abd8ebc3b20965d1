//! Parses the header, without I/O. Section numbers are those of the specification.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Largest header of version 1, in bytes, with its line end (2.1).
const TEXT_BYTES: usize = 107;
/// Largest header of version 2 that is read, in bytes. Without extensions the largest has 232 bytes.
pub(super) const BINARY_BYTES: usize = 4096;
/// Bytes before the addresses in version 2.
const FIXED_BYTES: usize = 16;
/// The beginning of version 1.
const TEXT: &[u8] = b"PROXY ";
/// The beginning of version 2.
const BINARY: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// A complete header.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Header {
    /// Its length in bytes.
    pub(in crate::http) length: usize,
    /// The client's address. `None`: the connection is the proxy's own, or the address is of another kind.
    pub(in crate::http) source: Option<SocketAddr>,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Parses the header at the beginning of a connection. `None`: more bytes are needed.
pub(in crate::http) fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let begins_with = |signature: &[u8]| bytes.iter().zip(signature).all(|(byte, expected)| byte == expected);
    if begins_with(BINARY) {
        return binary(bytes);
    }
    if begins_with(TEXT) {
        return text(bytes);
    }
    Err(Malformed("the connection does not begin with a header of the PROXY protocol; the proxy must send one (HAProxy: send-proxy-v2)"))
}

/// Version 1 (2.1).
fn text(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some(end) = bytes.iter().take(TEXT_BYTES).position(|byte| *byte == b'\n') else {
        return if bytes.len() < TEXT_BYTES {
            Ok(None)
        } else {
            Err(Malformed("the PROXY header of version 1 has no line end within 107 bytes"))
        };
    };
    let malformed = Malformed("the PROXY header of version 1 is malformed");
    let line =
        bytes.get(..end).and_then(|line| line.strip_suffix(b"\r")).and_then(|line| std::str::from_utf8(line).ok()).ok_or(malformed)?;
    let mut words = line.split(' ').skip(1);
    let source = match words.next() {
        // What follows is ignored.
        Some("UNKNOWN") => None,
        Some("TCP4") => Some(endpoint::<Ipv4Addr>(&mut words).ok_or(malformed)?),
        Some("TCP6") => Some(endpoint::<Ipv6Addr>(&mut words).ok_or(malformed)?),
        _ => return Err(malformed),
    };
    Ok(Some(Header { length: end + 1, source }))
}

/// The source of a connection: of the four words that follow, the first and the third.
fn endpoint<'a, A>(words: &mut impl Iterator<Item = &'a str>) -> Option<SocketAddr>
where
    A: std::str::FromStr + Into<IpAddr>,
{
    let port = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        text.parse::<u16>().ok().filter(|_| is_plain)
    };
    let (source, _): (A, A) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (source_port, _) = (port(words.next()?)?, port(words.next()?)?);
    words.next().is_none().then(|| SocketAddr::new(source.into(), source_port))
}

/// Version 2 (2.2).
fn binary(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_BYTES>() else { return Ok(None) };
    let [.., command, family, high, low] = *fixed;
    let body = usize::from(u16::from_be_bytes([high, low]));
    if command >> 4 != 2 {
        return Err(Malformed("the PROXY header has the signature of version 2 and another version"));
    }
    if FIXED_BYTES + body > BINARY_BYTES {
        return Err(Malformed("the PROXY header has more than 4096 bytes; the proxy must send fewer extensions"));
    }
    let Some(addresses) = rest.get(..body) else { return Ok(None) };
    let source = match (command & 0x0F, family) {
        (0, _) => None,
        (1, family) => source(family, addresses)?,
        _ => return Err(Malformed("the PROXY header of version 2 has an unknown command")),
    };
    Ok(Some(Header { length: FIXED_BYTES + body, source }))
}

/// The source address of version 2. What follows the addresses are extensions, which are ignored.
fn source(family: u8, addresses: &[u8]) -> Result<Option<SocketAddr>, Malformed> {
    const SHORT: Malformed = Malformed("the PROXY header of version 2 is too short for its addresses");
    let port = |at: usize| addresses.get(at..at + 2).and_then(|port| port.first_chunk()).map(|port| u16::from_be_bytes(*port));
    match family {
        // TCP over IPv4: two addresses, two ports.
        0x11 => {
            let (ip, port) = addresses.first_chunk::<4>().zip(port(8)).filter(|_| addresses.len() >= 12).ok_or(SHORT)?;
            Ok(Some(SocketAddr::new(Ipv4Addr::from(*ip).into(), port)))
        }
        // TCP over IPv6.
        0x21 => {
            let (ip, port) = addresses.first_chunk::<16>().zip(port(32)).filter(|_| addresses.len() >= 36).ok_or(SHORT)?;
            Ok(Some(SocketAddr::new(Ipv6Addr::from(*ip).into(), port)))
        }
        // Unspecified, and Unix sockets.
        0x00 | 0x31 | 0x32 => Ok(None),
        _ => Err(Malformed("the PROXY header of version 2 is for no TCP connection")),
    }
}
