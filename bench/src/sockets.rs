//! What `ss` says of the server's sockets.

use crate::Result;
use std::{net::SocketAddr, process::Command};

/// Kernel memory of a server's socket, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    /// The peer's port.
    pub(crate) peer: u16,
    /// What is queued to be sent and not acknowledged, with its overhead; and what was received and not read.
    pub(crate) bytes: u64,
}

/// The sockets of the server in any state but listening, and what they hold.
pub(crate) fn held(server: SocketAddr) -> Result<Vec<Held>> {
    let output = ss(&["-tamnHO", "state", "connected"], server)?;
    Ok(output.lines().filter_map(line).collect())
}

/// Data segments that the server's open sockets have sent. With TCP_NODELAY and small messages every write is one.
pub(crate) fn segments(server: SocketAddr) -> Result<u64> {
    let output = ss(&["-tinHO"], server)?;
    Ok(output.split_whitespace().filter_map(|word| word.strip_prefix("data_segs_out:")).filter_map(|count| count.parse::<u64>().ok()).sum())
}

fn ss(options: &[&str], server: SocketAddr) -> Result<String> {
    let output = Command::new("ss").args(options).arg(format!("sport = :{}", server.port())).output()?;
    Ok(String::from_utf8(output.stdout)?)
}

fn line(line: &str) -> Option<Held> {
    let peer = line.split_whitespace().filter_map(|word| word.rsplit_once(':')).filter_map(|(_, port)| port.parse().ok()).nth(1)?;
    let (_, memory) = line.split_once("skmem:(")?;
    let of = |key: &str| memory.split([',', ')']).filter_map(|part| part.strip_prefix(key)).find_map(|value| value.parse::<u64>().ok());
    Some(Held { peer, bytes: of("r")? + of("w")?.max(of("t")?) })
}
