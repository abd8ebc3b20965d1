//! The socket of a supervisor such as systemd.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Only a failing test waits this long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Receives what a process reports to its supervisor.
pub struct NotifySocket {
    socket: UnixDatagram,
    /// The value of `NOTIFY_SOCKET`.
    pub name: String,
}

impl NotifySocket {
    /// A socket with a name of its own.
    pub fn bind() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("switchboard-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let socket = SocketAddr::from_abstract_name(&name).and_then(|address| UnixDatagram::bind_addr(&address)).expect("a free name");
        socket.set_read_timeout(Some(TIMEOUT)).expect("settable");
        Self { socket, name: format!("@{name}") }
    }

    /// Waits for the next message.
    pub fn next(&self) -> String {
        let mut message = [0; 4096];
        let count = self.socket.recv(&mut message).expect("a message in time");
        String::from_utf8_lossy(&message[..count]).into_owned()
    }

    /// Waits for the next message that is not one of these.
    pub fn next_but(&self, is_skipped: impl Fn(&str) -> bool) -> String {
        loop {
            let message = self.next();
            if !is_skipped(&message) {
                return message;
            }
        }
    }
}
