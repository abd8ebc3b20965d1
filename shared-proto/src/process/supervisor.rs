//! Reports the state of the process to systemd, or to another supervisor with the same protocol (`sd_notify(3)`).

use crate::rest::ReadyBody;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Time between two looks at the readiness before the process is ready.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The same afterwards.
const PAUSE: Duration = Duration::from_secs(1);

/// The supervisor of this process, if `NOTIFY_SOCKET` names one.
pub struct Supervisor {
    reports: Option<(Arc<Channel>, JoinHandle<()>)>,
}

impl Supervisor {
    /// Reports in a separate task when the process is ready for the first time, and its status at each change.
    pub fn start(readiness: impl Fn() -> ReadyBody + Send + 'static) -> Self {
        Self::at(std::env::var_os("NOTIFY_SOCKET"), readiness)
    }

    fn at(name: Option<OsString>, readiness: impl Fn() -> ReadyBody + Send + 'static) -> Self {
        let name = name.filter(|name| !name.is_empty());
        let channel = name.and_then(|name| {
            let opened =
                Channel::open(&name).inspect_err(|error| tracing::warn!(?name, %error, "the address in NOTIFY_SOCKET is unusable"));
            opened.ok().map(Arc::new)
        });
        Self { reports: channel.map(|channel| (channel.clone(), tokio::spawn(follow(channel, readiness)))) }
    }

    /// Reports that the process has begun to end.
    pub async fn stopping(self) {
        let Some((channel, follower)) = self.reports else { return };
        follower.abort();
        let _aborted = follower.await;
        channel.send("STOPPING=1\nSTATUS=shutting down");
    }
}

async fn follow(channel: Arc<Channel>, readiness: impl Fn() -> ReadyBody) {
    let mut reported = Reported::default();
    loop {
        let now = readiness();
        if let Some(message) = reported.message(&now)
            && channel.send(&message)
        {
            reported.add(&now);
        }
        sleep(if reported.is_started || channel.has_failed() { PAUSE } else { FIRST_PAUSE }).await;
    }
}

/// What the supervisor knows.
#[derive(Default)]
struct Reported {
    is_started: bool,
    status: String,
}

impl Reported {
    /// The next message, if there is something new.
    fn message(&self, now: &ReadyBody) -> Option<String> {
        // A line end would begin another variable.
        let status = format!("STATUS={now}").replace(char::is_control, " ");
        match (now.ready && !self.is_started, self.status != now.to_string()) {
            (true, _) => Some(format!("READY=1\n{status}")),
            (false, true) => Some(status),
            (false, false) => None,
        }
    }

    fn add(&mut self, now: &ReadyBody) {
        self.is_started |= now.ready;
        self.status = now.to_string();
    }
}

/// The socket of the supervisor.
struct Channel {
    socket: UnixDatagram,
    address: SocketAddr,
    has_failed: AtomicBool,
}

impl Channel {
    /// Opens the socket with this path, or with this abstract name: `@` and bytes.
    fn open(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::Error::other("expected a path, or @ and a name")),
        };
        let socket = UnixDatagram::unbound()?;
        // A supervisor that does not read must not stop this process.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, address, has_failed: AtomicBool::new(false) })
    }

    /// Whether the supervisor got the message. Only the first failure is logged.
    fn send(&self, message: &str) -> bool {
        let sent = self.socket.send_to_addr(message.as_bytes(), &self.address);
        if let Err(error) = &sent
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "cannot report to the supervisor of NOTIFY_SOCKET");
        }
        sent.is_ok()
    }

    fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A supervisor at this address.
    struct Receiver(tokio::net::UnixDatagram);

    impl Receiver {
        fn bind(name: &OsStr) -> Self {
            let socket = UnixDatagram::bind_addr(&Channel::open(name).expect("an address").address).expect("free");
            socket.set_nonblocking(true).expect("settable");
            Self(tokio::net::UnixDatagram::from_std(socket).expect("a runtime"))
        }

        async fn next(&self) -> String {
            let mut bytes = [0; 1024];
            let count = self.0.recv(&mut bytes).await.expect("received");
            String::from_utf8(bytes[..count].to_vec()).expect("text")
        }
    }

    async fn passes_through_its_life(name: OsString) {
        let receiver = Receiver::bind(&name);
        let state = Arc::new(Mutex::new(ReadyBody::not_ready("a\nREADY=1")));
        let shown = state.clone();
        let supervisor = Supervisor::at(Some(name), move || shown.lock().expect("not poisoned").clone());
        let set = |now: ReadyBody| *state.lock().expect("not poisoned") = now;
        assert_eq!(receiver.next().await, "STATUS=not ready: a READY=1");
        set(ReadyBody::ready());
        assert_eq!(receiver.next().await, "READY=1\nSTATUS=ready");
        set(ReadyBody::not_ready("b"));
        assert_eq!(receiver.next().await, "STATUS=not ready: b");
        set(ReadyBody { ready: true, reasons: vec!["c".into(), "d".into()] });
        assert_eq!(receiver.next().await, "STATUS=ready, with problems: c; d");
        supervisor.stopping().await;
        assert_eq!(receiver.next().await, "STOPPING=1\nSTATUS=shutting down");
    }

    #[tokio::test(start_paused = true)]
    async fn the_supervisor_learns_each_change() {
        let unique = format!("switchboard-test-{}", std::process::id());
        let path = std::env::temp_dir().join(&unique);
        passes_through_its_life(path.clone().into()).await;
        std::fs::remove_file(path).expect("removed");
        passes_through_its_life(format!("@{unique}").into()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_that_fails_is_repeated() {
        let name: OsString = format!("@switchboard-late-{}", std::process::id()).into();
        let supervisor = Supervisor::at(Some(name.clone()), ReadyBody::ready);
        sleep(PAUSE).await;
        assert_eq!(Receiver::bind(&name).next().await, "READY=1\nSTATUS=ready");
        supervisor.stopping().await;
    }

    #[tokio::test]
    async fn without_a_usable_address_there_are_no_reports() {
        for name in [None, Some(""), Some("vsock:2:1"), Some("relative")] {
            let supervisor = Supervisor::at(name.map(Into::into), || panic!("nobody asks"));
            assert!(supervisor.reports.is_none(), "{name:?}");
            supervisor.stopping().await;
        }
    }
}
