//! The state of the server's sockets, read with `ss`.

use crate::result::Result;
use std::{net::SocketAddr, process::Command};

/// Kernel memory of one socket of a server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SocketMemory {
    /// The peer's port.
    pub(crate) peer: u16,
    /// Bytes of unacknowledged and unread data, with the kernel's overhead.
    pub(crate) bytes: u64,
}

/// The memory of every socket of the server that is not listening.
pub(crate) fn memory(server: SocketAddr) -> Result<Vec<SocketMemory>> {
    let output = ss(&["-tamnHO", "state", "connected"], server)?;
    Ok(output.lines().filter_map(parse_line).collect())
}

/// Data segments that the server's open sockets have sent. With TCP_NODELAY and small messages, each write is one segment.
pub(crate) fn segments_sent(server: SocketAddr) -> Result<u64> {
    let output = ss(&["-tinHO"], server)?;
    Ok(output.split_whitespace().filter_map(|word| word.strip_prefix("data_segs_out:")).filter_map(|count| count.parse::<u64>().ok()).sum())
}

fn ss(options: &[&str], server: SocketAddr) -> Result<String> {
    let output = Command::new("ss").args(options).arg(format!("sport = :{}", server.port())).output()?;
    Ok(String::from_utf8(output.stdout)?)
}

fn parse_line(line: &str) -> Option<SocketMemory> {
    let peer = line.split_whitespace().filter_map(|word| word.rsplit_once(':')).filter_map(|(_, port)| port.parse().ok()).nth(1)?;
    let (_, memory) = line.split_once("skmem:(")?;
    let field = |key: &str| memory.split([',', ')']).filter_map(|part| part.strip_prefix(key)).find_map(|value| value.parse::<u64>().ok());
    Some(SocketMemory { peer, bytes: field("r")? + field("w")?.max(field("t")?) })
}
