//! A line to Redis that loses what it is told to.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
};

/// A socket that leads to another one. While it is [`Self::lose`]-ing, nothing that is announced in one channel comes through, and all else does.
pub(super) struct Line {
    directory: TempDir,
    losing: Arc<AtomicBool>,
}

impl Line {
    /// `lane`: what the messages to be lost hold.
    pub(super) fn to(server: PathBuf, lane: &'static str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("line.sock")).expect("a free name");
        let losing = Arc::new(AtomicBool::new(false));
        let held = losing.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = UnixStream::connect(&server).await.expect("the server is up");
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut near_in, &mut far_out).await });
                let losing = losing.clone();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 << 10];
                    while let Ok(read @ 1..) = far_in.read(&mut buffer).await {
                        for push in pushes(&buffer[..read]) {
                            let holds = |text: &str| push.windows(text.len()).any(|window| window == text.as_bytes());
                            let lost = losing.load(Relaxed) && holds("message") && holds(lane);
                            if !lost && near_out.write_all(push).await.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        Self { directory, losing: held }
    }

    pub(super) fn url(&self) -> String {
        format!("redis+unix://{}/line.sock", self.directory.path().display())
    }

    pub(super) fn lose(&self, losing: bool) {
        self.losing.store(losing, Relaxed);
    }
}

/// The parts of what came at once, each beginning with a push of RESP3; none is cut in two, as long as little is under way.
fn pushes(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some(next) = bytes.windows(4).skip(1).position(|window| window == b">3\r\n") {
        let (part, rest) = bytes.split_at(next + 1);
        parts.push(part);
        bytes = rest;
    }
    parts.push(bytes);
    parts
}
