//! A service as a separate process. It may log no line at ERROR.

use super::client::Client;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Only a failing test waits this long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running process. It is killed when this is dropped. Then a line at ERROR in its log fails the test.
pub struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `command`, and waits until it serves `/livez` at `address`.
    pub fn start(command: &mut Command, address: SocketAddr) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let log = Arc::<Mutex<String>>::default();
        let collected = log.clone();
        let reader = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
                collected.push_str(&line);
                collected.push('\n');
            }
        });
        let mut process = Self { child, log, reader: Some(reader) };
        let began = Instant::now();
        while Client::try_connect(address).is_none_or(|mut client| client.request("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").status != 200) {
            let ended = process.child.try_wait().expect("ours");
            assert!(ended.is_none() && began.elapsed() < TIMEOUT, "it does not answer ({ended:?}): {}", process.log());
            #[expect(clippy::disallowed_methods, reason = "the thread of a test waits for a process")]
            thread::sleep(Duration::from_millis(5));
        }
        process
    }

    /// Waits until `is_enough` accepts what the process has written to its standard error. Returns all of that.
    pub fn wait_for_log(&self, is_enough: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let log = self.log();
            if is_enough(&log) {
                return log;
            }
            assert!(began.elapsed() < TIMEOUT, "the process does not log it: {log}");
            thread::yield_now();
        }
    }

    /// What has arrived of the log. More may be on its way.
    fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the process to end, and waits until it has. Returns its exit code, if no signal ended it.
    pub fn terminate(&mut self) -> Option<i32> {
        let id = self.id().try_into().ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("it runs"), rustix::process::Signal::TERM).expect("it takes signals");
        self.child.wait().expect("ours").code()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The reader ends with the process, so the log is complete.
        let _ = self.reader.take().map(JoinHandle::join);
        let log = self.log();
        let errors: Vec<_> = log.lines().filter(|line| line.contains(" ERROR ") || line.contains(r#""level":"ERROR""#)).collect();
        assert!(errors.is_empty() || thread::panicking(), "the process logged: {}", errors.join("\n"));
    }
}

/// A command that runs a program with this limit of open files.
pub fn with_open_files(limit: u32, program: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\""), program]);
    command
}

/// An address at which no process listens. Each call has a loopback host of its own, so that nobody takes the port before the caller uses it.
pub fn free_address() -> SocketAddr {
    static CALLS: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    // Never 127.0.0.1, which all other programs use.
    let host = Ipv4Addr::new(127, high | 0x80, low, CALLS.fetch_add(1, Relaxed));
    TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr()).expect("a free port")
}
