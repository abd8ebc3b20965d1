//! Socket options of the operating system. On systems other than Linux, some options are missing; the gateway logs that once.

use shared_proto::http::Socket;
use socket2::SockRef;
use std::{io, time::Duration};
use tokio::net::TcpStream;

/// Options of a public socket. They bound the memory and time that a stuck peer costs: with the defaults, the kernel reserves at most
/// 128 KiB for sending and 64 KiB for receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// How long sent bytes may stay unacknowledged, or the peer's window closed, before the kernel ends the connection (Linux).
    pub user_timeout: Duration,
    /// Number of unsent bytes above which the socket is not writable (Linux). It is small, so that data waits in the outbox, where the
    /// slow-consumer policy applies.
    pub notsent_lowat: u32,
    /// Size of the send buffer in bytes. The kernel reserves twice as much, for its own structures.
    pub send_buffer: u32,
    /// Size of the receive buffer in bytes. The kernel reserves twice as much.
    pub receive_buffer: u32,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { user_timeout: Duration::from_secs(30), notsent_lowat: 16 * 1024, send_buffer: 64 * 1024, receive_buffer: 32 * 1024 }
    }
}

impl SocketOptions {
    /// Sets all options and `TCP_NODELAY`. Continues after a failure, and returns the first error.
    pub fn apply(&self, io: &TcpStream) -> io::Result<()> {
        let socket = SockRef::from(io);
        let set = [
            socket.set_tcp_nodelay(true),
            socket.set_send_buffer_size(self.send_buffer as usize),
            socket.set_recv_buffer_size(self.receive_buffer as usize),
            self.apply_linux(&socket),
        ];
        set.into_iter().collect()
    }

    #[cfg(target_os = "linux")]
    fn apply_linux(&self, socket: &SockRef<'_>) -> io::Result<()> {
        socket.set_tcp_user_timeout(Some(self.user_timeout)).and(socket.set_tcp_notsent_lowat(self.notsent_lowat))
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "same signature as on Linux")]
    fn apply_linux(&self, _socket: &SockRef<'_>) -> io::Result<()> {
        static WARNED: std::sync::Once = std::sync::Once::new();
        WARNED.call_once(|| tracing::warn!("this system has no TCP_USER_TIMEOUT and TCP_NOTSENT_LOWAT: a stuck peer costs more memory"));
        Ok(())
    }
}

/// A socket that can be reset.
pub trait Abort {
    /// Makes the drop of the socket discard unsent bytes. After an ordinary drop, the kernel would keep them in memory (FIN-WAIT) until the
    /// peer reads them.
    fn abort(&self);
}

impl Abort for TcpStream {
    fn abort(&self) {
        // Fails only if the peer is gone. Then the kernel has nothing to discard.
        let _ = self.set_zero_linger();
    }
}

impl Abort for Socket {
    fn abort(&self) {
        self.tcp().abort();
    }
}

impl Abort for tokio::io::DuplexStream {
    fn abort(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn every_option_is_set() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (_peer, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().expect("bound")), listener.accept());
        let (io, _) = accepted.expect("connected");
        let options = SocketOptions::default();
        options.apply(&io).expect("settable");
        let socket = SockRef::from(&io);
        assert!(socket.tcp_nodelay().expect("readable"));
        assert_eq!(socket.tcp_user_timeout().expect("readable"), Some(options.user_timeout));
        assert_eq!(socket.tcp_notsent_lowat().expect("readable"), options.notsent_lowat);
        let (send, receive) = (socket.send_buffer_size().expect("readable"), socket.recv_buffer_size().expect("readable"));
        assert_eq!((send, receive), (2 * options.send_buffer as usize, 2 * options.receive_buffer as usize));
        assert!(send + receive <= 256 * 1024, "kernel memory per peer");
    }

    #[tokio::test]
    async fn an_aborted_socket_resets_its_peer() {
        use tokio::io::AsyncReadExt;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (peer, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().expect("bound")), listener.accept());
        accepted.expect("connected").0.abort();
        let error = peer.expect("connected").read(&mut [0]).await.expect_err("a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
