//! A proxy that delays or drops script calls (`EVALSHA`).

use super::endpoint::{Endpoint, Listener, Reader, Writer};
use crate::wait::PATIENCE;
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Semaphore, watch},
    time::timeout,
};

/// What a [`CallProxy`] does with script calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// The proxy forwards them.
    Pass,
    /// The proxy keeps them, and all data that it read together with them, until this setting changes.
    Wait,
    /// The proxy drops the first call of the next chunk with at least two calls, as if the server had refused that call. It does not
    /// forward the answer to the chunk, but closes the connection to the client. From the next chunk on it forwards all calls again.
    LoseFirst,
}

/// A proxy for the Unix socket of a server. When a client closes its connection, the connection to the server stays open.
pub struct CallProxy {
    directory: TempDir,
    calls: watch::Sender<Calls>,
    /// Connections that clients opened.
    pub came: Arc<Count>,
    /// How often calls had to wait.
    pub waits: Arc<Count>,
    /// Connections that the server closed.
    pub ended: Arc<Count>,
}

/// Counts occurrences, so that a test can wait for one.
pub struct Count(Semaphore);

const SOCKET: &str = "calls.sock";

impl Count {
    fn new() -> Arc<Self> {
        Arc::new(Self(Semaphore::new(0)))
    }

    fn add(&self) {
        self.0.add_permits(1);
    }

    /// Waits until there is an occurrence, and removes it from the count.
    pub async fn next(&self) {
        timeout(PATIENCE, self.0.acquire()).await.expect("the proxy counts another occurrence in time").expect("never closed").forget();
    }

    /// The number of occurrences that were not removed.
    pub fn get(&self) -> usize {
        self.0.available_permits()
    }

    /// Removes all occurrences.
    pub fn clear(&self) {
        self.0.forget_permits(usize::MAX);
    }
}

impl CallProxy {
    /// Starts a proxy that listens on a socket of its own and connects to the socket `server`. At first it forwards all calls.
    pub fn to_socket(server: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = Listener::at_socket(directory.path().join(SOCKET)).expect("a free name");
        let (calls, [came, waits, ended]) = (watch::Sender::new(Calls::Pass), std::array::from_fn(|_| Count::new()));
        let proxy = Self { directory, calls, came, waits, ended };
        let (calls, came, waits, ended) = (proxy.calls.clone(), proxy.came.clone(), proxy.waits.clone(), proxy.ended.clone());
        let server = Endpoint::Socket(server.into());
        tokio::spawn(async move {
            while let Ok((near_reader, near_writer)) = listener.accept().await {
                came.add();
                let (far_reader, far_writer) = server.connect().await.expect("the server is up");
                let is_broken = watch::Sender::new(false);
                tokio::spawn(send(near_reader, far_writer, calls.clone(), is_broken.clone(), waits.clone()));
                let ended = ended.clone();
                tokio::spawn(async move {
                    answer(far_reader, near_writer, is_broken.subscribe()).await;
                    ended.add();
                });
            }
        });
        proxy
    }

    /// Sets what the proxy does with calls from now on.
    pub fn set(&self, calls: Calls) {
        self.calls.send_replace(calls);
    }

    /// The URL at which clients reach the server through this proxy.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.directory.path().join(SOCKET).display())
    }
}

async fn send(mut near: Reader, mut far: Writer, calls: watch::Sender<Calls>, is_broken: watch::Sender<bool>, waits: Arc<Count>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = near.read(&mut buffer).await {
        let mut bytes = &buffer[..read];
        let (begin, now) = (begins(bytes), *calls.borrow());
        match (now, &*begin) {
            (Calls::Wait, [_, ..]) => {
                waits.add();
                let _ = calls.subscribe().wait_for(|calls| *calls != Calls::Wait).await;
            }
            (Calls::LoseFirst, [first, _, ..]) => {
                is_broken.send_replace(true);
                calls.send_replace(Calls::Pass);
                bytes = &bytes[after(bytes, *first)..];
            }
            _ => {}
        }
        if far.write_all(bytes).await.is_err() {
            break;
        }
    }
    std::future::pending::<()>().await;
    drop(far);
}

async fn answer(mut far: Reader, near: Writer, is_broken: watch::Receiver<bool>) {
    let (mut buffer, mut near) = (vec![0; 64 << 10], Some(near));
    while let Ok(read @ 1..) = far.read(&mut buffer).await {
        if *is_broken.borrow() {
            near = None;
        }
        if let Some(out) = &mut near
            && out.write_all(&buffer[..read]).await.is_err()
        {
            near = None;
        }
    }
}

/// The indexes at which script calls begin.
fn begins(bytes: &[u8]) -> Vec<usize> {
    let words = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"$7\r\nEVALSHA"));
    words.filter_map(|word| bytes[..word].iter().rposition(|byte| *byte == b'*')).collect()
}

/// The index after the command that begins at `first`. No argument of it may contain `\r\n*`, and another command must follow.
fn after(bytes: &[u8], first: usize) -> usize {
    let next = bytes[first..].windows(3).position(|bytes| bytes == b"\r\n*").expect("another command follows");
    first + next + 2
}
