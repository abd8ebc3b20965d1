//! A proxy that holds or loses calls of scripts.

use super::endpoint::{Endpoint, Listener, Reader, Writer};
use crate::wait::PATIENCE;
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Semaphore, watch},
    time::timeout,
};

/// What becomes of calls of scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// They pass.
    Pass,
    /// They wait, and what comes with them.
    Wait,
    /// Of the next calls that come together the first one is lost, as if the server had refused it. Then the connection breaks before it answers.
    LoseFirst,
}

/// A proxy for the socket of a server. A connection that its client has given up stays open towards the server.
pub struct CallProxy {
    directory: TempDir,
    calls: watch::Sender<Calls>,
    /// Connections that came.
    pub came: Arc<Count>,
    /// Times that calls have begun to wait.
    pub waits: Arc<Count>,
    /// Connections that the server ended.
    pub ended: Arc<Count>,
}

/// Counts what happens, so that it can be waited for.
pub struct Count(Semaphore);

const SOCKET: &str = "calls.sock";

impl Count {
    fn new() -> Arc<Self> {
        Arc::new(Self(Semaphore::new(0)))
    }

    fn add(&self) {
        self.0.add_permits(1);
    }

    /// Waits for the next one, and takes it.
    pub async fn next(&self) {
        timeout(PATIENCE, self.0.acquire()).await.expect("it happens in time").expect("never closed").forget();
    }

    /// How many have happened and were not taken.
    pub fn get(&self) -> usize {
        self.0.available_permits()
    }

    /// Takes all that have happened.
    pub fn clear(&self) {
        self.0.forget_permits(usize::MAX);
    }
}

impl CallProxy {
    /// Listens at a socket, and connects to that one. Calls pass at first.
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

    /// What becomes of calls from now on.
    pub fn set(&self, calls: Calls) {
        self.calls.send_replace(calls);
    }

    /// The URL of the server behind it.
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

/// Where calls of scripts begin.
fn begins(bytes: &[u8]) -> Vec<usize> {
    let words = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"$7\r\nEVALSHA"));
    words.filter_map(|word| bytes[..word].iter().rposition(|byte| *byte == b'*')).collect()
}

/// Where the command ends that begins there. No argument may hold such bytes.
fn after(bytes: &[u8], first: usize) -> usize {
    let next = bytes[first..].windows(3).position(|bytes| bytes == b"\r\n*").expect("there is another one");
    first + next + 2
}
