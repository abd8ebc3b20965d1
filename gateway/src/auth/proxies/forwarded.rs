//! Reads `Forwarded` (RFC 7239) and `X-Forwarded-For` from the right.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Who sent a proxy its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A node with this address.
    At(IpAddr),
    /// The proxy does not tell it: `unknown`, an obfuscated name, or nothing.
    Hidden,
}

/// What one proxy wrote about the request that it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    /// Who sent it.
    pub(super) sender: Sender,
    /// Its `Host` header.
    pub(super) host: Option<Box<str>>,
    /// Its scheme: `http` or `https`.
    pub(super) scheme: Option<&'static str>,
}

/// The hops of all `Forwarded` lines, the last one first. `None`: a hop is malformed.
pub(super) fn hops<'a>(lines: &'a [&[u8]]) -> impl Iterator<Item = Option<Hop>> + 'a {
    let elements = lines.iter().rev().flat_map(|line| split_from_right(line, b','));
    elements.filter(|element| !element.is_empty()).map(hop)
}

/// The hops of all `X-Forwarded-For` lines, the last one first. `None`: a hop is malformed.
pub(super) fn listed<'a>(lines: &'a [&[u8]]) -> impl Iterator<Item = Option<Hop>> + 'a {
    let elements = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    elements.filter(|element| !element.is_empty()).map(|element| {
        let text = std::str::from_utf8(element).ok()?;
        let sender = text.parse().ok().map(|ip: Ipv6Addr| Sender::At(IpAddr::V6(ip).to_canonical())).or_else(|| sender(text))?;
        Some(Hop { sender, host: None, scheme: None })
    })
}

/// The parts of a list, from the right. A separator within a quoted string does not count. Because the scan begins at the right, a quote that a
/// client left open cannot swallow what a proxy added.
fn split_from_right(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let mut is_quoted = false;
        for (at, byte) in line.iter().enumerate().rev() {
            let before = line.get(..at)?;
            let is_escaped = || before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
            if *byte == b'"' && !(is_quoted && is_escaped()) {
                is_quoted = !is_quoted;
            } else if *byte == separator && !is_quoted {
                rest = Some(before);
                return line.get(at + 1..).map(<[u8]>::trim_ascii);
            }
        }
        rest = None;
        Some(line.trim_ascii())
    })
}

/// One element of `Forwarded`: pairs with semicolons between them, each name once.
fn hop(element: &[u8]) -> Option<Hop> {
    let (mut from, mut host, mut proto) = (None, None, None);
    let is_free = |is_set: bool| (!is_set).then_some(());
    for pair in split_from_right(element, b';').filter(|pair| !pair.is_empty()) {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, text) = (pair.get(..equals)?, value(pair.get(equals + 1..)?)?);
        if name.eq_ignore_ascii_case(b"for") {
            is_free(from.is_some())?;
            from = Some(sender(&text)?);
        } else if name.eq_ignore_ascii_case(b"host") {
            is_free(host.is_some())?;
            host = Some(text.into());
        } else if name.eq_ignore_ascii_case(b"proto") {
            is_free(proto.is_some())?;
            proto = Some(text);
        } else if !is_token(name) {
            return None;
        }
    }
    Some(Hop { sender: from.unwrap_or(Sender::Hidden), host, scheme: proto.and_then(|proto| http_scheme(&proto)) })
}

/// A token, or a quoted string without its quotes and escapes (RFC 9110, section 5.6).
fn value(text: &[u8]) -> Option<Cow<'_, str>> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        return is_token(text).then(|| std::str::from_utf8(text).ok().map(Cow::from)).flatten();
    };
    let quoted = std::str::from_utf8(quoted.strip_suffix(b"\"")?).ok()?;
    if !quoted.contains(['\\', '"']) {
        return (!quoted.contains(char::is_control)).then_some(quoted.into());
    }
    let (mut plain, mut chars) = (String::new(), quoted.chars());
    while let Some(char) = chars.next() {
        match char {
            '"' => return None,
            '\\' => plain.push(chars.next()?),
            char if char.is_control() => return None,
            char => plain.push(char),
        }
    }
    Some(plain.into())
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

/// A node (RFC 7239, section 6): an IPv4 address, an IPv6 address in brackets, `unknown` or an obfuscated name; each may have a port.
fn sender(text: &str) -> Option<Sender> {
    let (node, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (address, None),
        Some((address, port)) => (address, Some(port.strip_prefix(':')?)),
        None => text.split_once(':').map_or((text, None), |(node, port)| (node, Some(port))),
    };
    let is_name = |name: &str| {
        let rest = name.strip_prefix('_').unwrap_or_default();
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let is_port = |port: &str| is_name(port) || ((1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit()));
    if !port.is_none_or(is_port) {
        return None;
    }
    if text.starts_with('[') {
        return node.parse().ok().map(|ip: Ipv6Addr| Sender::At(IpAddr::V6(ip).to_canonical()));
    }
    if is_name(node) || node.eq_ignore_ascii_case("unknown") {
        return Some(Sender::Hidden);
    }
    node.parse().ok().map(|ip: Ipv4Addr| Sender::At(ip.into()))
}

/// The scheme of the request before its upgrade.
fn http_scheme(proto: &str) -> Option<&'static str> {
    let is_one_of = |names: [&str; 2]| names.iter().any(|name| name.eq_ignore_ascii_case(proto));
    match () {
        () if is_one_of(["https", "wss"]) => Some("https"),
        () if is_one_of(["http", "ws"]) => Some("http"),
        () => None,
    }
}
