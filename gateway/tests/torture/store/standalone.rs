//! A standalone server and its replica.

use redis_testing::{Options, Server};
use std::path::{Path, PathBuf};

/// A standalone server and its replica.
pub(crate) struct Standalone {
    pub(crate) primary: Server,
    pub(crate) standby: Server,
    directory: PathBuf,
    started: u32,
}

impl Standalone {
    pub(super) async fn start(directory: &Path) -> Self {
        let (primary, standby) = (start(directory, 0).await, start(directory, 1).await);
        standby.follow(&primary).await;
        Self { primary, standby, directory: directory.into(), started: 2 }
    }

    /// Starts a new replica. Returns the earlier one.
    pub(crate) async fn replace_standby(&mut self) -> Server {
        let next = start(&self.directory, self.started).await;
        self.started += 1;
        std::mem::replace(&mut self.standby, next)
    }
}

async fn start(directory: &Path, number: u32) -> Server {
    Server::start_with(Options::default().with_port().in_directory(directory.join(format!("redis-{number}")))).await
}
