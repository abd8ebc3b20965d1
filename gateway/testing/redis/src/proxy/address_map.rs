//! Servers say where others are. Whoever reaches all of them through proxies of its own needs the addresses of these proxies instead.
//!
//! Ports have five digits here, so that no length changes with them.

use std::net::SocketAddr;

/// What servers call each other, and what others have to call them.
pub struct AddressMap(Vec<(Vec<u8>, Vec<u8>)>);

/// Rewrites what one connection says.
pub(super) struct Rewriter<'a> {
    map: &'a AddressMap,
    /// What may become an address with what follows.
    held: Vec<u8>,
}

/// All forms begin with one of these.
const BEGINS: [u8; 2] = [b'1', b'$'];

impl AddressMap {
    /// Of each server the real address, and the one that is shown in its place.
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

/// As maps of a cluster and redirections have it.
fn in_text(server: SocketAddr) -> String {
    server.to_string()
}

/// As sentinels have it.
fn in_array(server: SocketAddr) -> String {
    let (host, port) = (server.ip().to_string(), server.port().to_string());
    format!("${}\r\n{host}\r\n${}\r\n{port}\r\n", host.len(), port.len())
}

impl Rewriter<'_> {
    /// What may pass. No answer of Redis ends within an address, so nothing of a whole answer is held back.
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
    fn addresses_are_rewritten_in_both_forms_wherever_they_are_cut() {
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
