//! Rewrites addresses in the answers of servers.
//!
//! Members of a cluster and sentinels report the addresses of other servers. A client that must reach each server through a proxy needs the
//! addresses of the proxies instead. All ports must have five digits, so that a rewritten answer keeps its length.

use std::net::SocketAddr;

/// The real addresses of servers, and the addresses that replace them.
pub struct AddressMap(Vec<(Vec<u8>, Vec<u8>)>);

/// Rewrites the answers on one connection.
pub(super) struct Rewriter<'a> {
    map: &'a AddressMap,
    /// Bytes at the end of the last input that may be the beginning of an address.
    held: Vec<u8>,
}

/// Each form of an address begins with one of these bytes.
const BEGINS: [u8; 2] = [b'1', b'$'];

impl AddressMap {
    /// Makes a map. Each item is the real address of a server, and the address that replaces it.
    pub fn new(servers: impl Iterator<Item = (SocketAddr, SocketAddr)>) -> Self {
        let forms = servers.flat_map(|(real, shown)| [(in_text(real), in_text(shown)), (in_array(real), in_array(shown))]);
        let forms: Vec<_> = forms.map(|(real, shown)| (real.into_bytes(), shown.into_bytes())).collect();
        assert!(forms.iter().all(|(real, shown)| real.len() == shown.len()), "ports have five digits");
        Self(forms)
    }

    pub(super) fn rewriter(&self) -> Rewriter<'_> {
        Rewriter { map: self, held: Vec::new() }
    }
}

/// An address as in slot maps and redirections of a cluster.
fn in_text(server: SocketAddr) -> String {
    server.to_string()
}

/// An address as in answers of sentinels.
fn in_array(server: SocketAddr) -> String {
    let (host, port) = (server.ip().to_string(), server.port().to_string());
    format!("${}\r\n{host}\r\n${}\r\n{port}\r\n", host.len(), port.len())
}

impl Rewriter<'_> {
    /// Replaces addresses in `said` and returns the bytes that can be sent now. Bytes at the end that may be the beginning of an address
    /// are kept for the next call. No answer of Redis ends in the middle of an address, so this never delays a complete answer.
    pub(super) fn rewrite(&mut self, said: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(said);
        let mut at = 0;
        while let Some(next) = text[at..].iter().position(|byte| BEGINS.contains(byte)) {
            at += next;
            let rest = &text[at..];
            if let Some((real, shown)) = self.map.0.iter().find(|(real, _)| rest.starts_with(real)) {
                text[at..at + real.len()].copy_from_slice(shown);
                at += real.len();
            } else if self.map.0.iter().any(|(real, _)| real.starts_with(rest)) {
                self.held = text.split_off(at);
            } else {
                at += 1;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_rewritten_in_both_forms_wherever_the_input_is_split() {
        let [real, shown] = [30_001, 40_001].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let map = AddressMap::new([(real, shown)].into_iter());
        let said = "-MOVED 1 127.0.0.1:30001\r\n*2\r\n$9\r\n127.0.0.1\r\n$5\r\n30001\r\n$1\r\nx\r\n";
        let expected = said.replace("30001", "40001");
        for cut in 0..=said.len() {
            let mut rewriter = map.rewriter();
            let parts = [rewriter.rewrite(&said.as_bytes()[..cut]), rewriter.rewrite(&said.as_bytes()[cut..])];
            assert_eq!(String::from_utf8_lossy(&parts.concat()), expected, "cut at {cut}");
        }
    }
}
