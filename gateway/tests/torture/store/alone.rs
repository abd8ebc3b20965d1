//! One server, and one that follows it.

use super::redis::Redis;
use std::path::{Path, PathBuf};

/// See the module.
pub(crate) struct Alone {
    pub(crate) primary: Redis,
    pub(crate) standby: Redis,
    directory: PathBuf,
    started: u32,
}

impl Alone {
    pub(super) async fn start(directory: &Path) -> Self {
        let (primary, standby) = (Redis::start(directory.join("redis-0"), &[]).await, Redis::start(directory.join("redis-1"), &[]).await);
        standby.follow(&primary).await;
        Self { primary, standby, directory: directory.into(), started: 2 }
    }

    /// Another server stands by from now on. Answers the one that did before.
    pub(crate) async fn relieve_standby(&mut self) -> Redis {
        let next = Redis::start(self.directory.join(format!("redis-{}", self.started)), &[]).await;
        self.started += 1;
        std::mem::replace(&mut self.standby, next)
    }
}
