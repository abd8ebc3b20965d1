//! Socket options of the operating system. All that only Linux has is here; elsewhere it is left out, and said once.

use socket2::SockRef;
use std::{io, time::Duration};
use tokio::net::TcpStream;

/// What a public socket is set to, so that a stuck peer costs bounded memory and time: with the defaults the kernel books at most
/// 128 KiB to send and 64 KiB received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// How long sent bytes may stay unacknowledged, or a closed window may stay closed, before the kernel gives the peer up (Linux).
    pub user_timeout: Duration,
    /// Bytes not yet sent above which the socket does not count as writable (Linux). Small, so that what waits does so in the
    /// outbox, where the slow-consumer policy sees it.
    pub notsent_lowat: u32,
    /// Bytes of the send buffer. The kernel books twice that, for its own structures.
    pub send_buffer: u32,
    /// Bytes of the receive buffer, booked twice as well. What a peer sends while it is not read waits here.
    pub receive_buffer: u32,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { user_timeout: Duration::from_secs(30), notsent_lowat: 16 * 1024, send_buffer: 64 * 1024, receive_buffer: 32 * 1024 }
    }
}

impl SocketOptions {
    /// Sets all of them, and `TCP_NODELAY`. Goes on after a failure and returns the first.
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
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the shape of the Linux form")]
    fn apply_linux(&self, _socket: &SockRef<'_>) -> io::Result<()> {
        static SAID: std::sync::Once = std::sync::Once::new();
        SAID.call_once(|| tracing::warn!("TCP_USER_TIMEOUT and TCP_NOTSENT_LOWAT are set on Linux only: a stuck peer costs more here"));
        Ok(())
    }
}

/// A socket that can be cut at once.
pub trait Abort {
    /// Has the kernel forget, when the socket is dropped, what it has not sent. An ordinary drop would leave it in FIN-WAIT, with its
    /// memory, for as long as the peer does not read.
    fn abort(&self);
}

impl Abort for TcpStream {
    fn abort(&self) {
        // It fails only where the peer is gone already: then there is nothing to forget.
        let _ = self.set_zero_linger();
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
        assert!(send + receive <= 256 * 1024, "what a peer may cost in the kernel");
    }

    #[tokio::test]
    async fn an_aborted_socket_resets_its_peer() {
        use tokio::io::AsyncReadExt;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (peer, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().expect("bound")), listener.accept());
        accepted.expect("connected").0.abort();
        let error = peer.expect("connected").read(&mut [0]).await.expect_err("not an ordinary end");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
