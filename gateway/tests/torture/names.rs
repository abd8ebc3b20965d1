//! Servers of Redis tell where others are. A gateway that reaches all of them through proxies of its own has to be told of these instead.
//!
//! Ports here have five digits, so that no length changes with them.

use std::net::SocketAddr;

/// What servers call each other, and what a gateway has to call them.
pub(crate) struct Names(Vec<(Vec<u8>, Vec<u8>)>);

/// Of what one connection says.
pub(crate) struct Translator<'a> {
    names: &'a Names,
    /// What may become a name with what follows.
    held: Vec<u8>,
}

/// All forms begin with one of these.
const BEGINS: [u8; 2] = [b'1', b'$'];

impl Names {
    /// Each server, and where it is reached.
    pub(crate) fn new(servers: impl Iterator<Item = (SocketAddr, SocketAddr)>) -> Self {
        let forms = servers.flat_map(|(real, shown)| [(in_text(real), in_text(shown)), (in_array(real), in_array(shown))]);
        let forms: Vec<_> = forms.map(|(real, shown)| (real.into_bytes(), shown.into_bytes())).collect();
        assert!(forms.iter().all(|(real, shown)| real.len() == shown.len()), "ports have five digits");
        Self(forms)
    }

    pub(crate) fn translator(&self) -> Translator<'_> {
        Translator { names: self, held: Vec::new() }
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

impl Translator<'_> {
    /// What may go on. No answer of Redis ends in the midst of a name, so nothing of a whole answer is held back.
    pub(crate) fn translate(&mut self, said: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(said);
        let mut at = 0;
        while let Some(next) = text[at..].iter().position(|byte| BEGINS.contains(byte)) {
            at += next;
            let rest = &text[at..];
            if let Some((real, shown)) = self.names.0.iter().find(|(real, _)| rest.starts_with(real)) {
                text[at..at + real.len()].copy_from_slice(shown);
                at += real.len();
            } else if self.names.0.iter().any(|(real, _)| real.starts_with(rest)) {
                self.held = text.split_off(at);
            } else {
                at += 1;
            }
        }
        text
    }
}
