//! Options for the start of a cluster.

use crate::servers::options::{Options, Part};
use std::{path::PathBuf, time::Duration};

/// The members of a cluster, and how they are started.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Number of masters that share the slots.
    pub masters: usize,
    /// Number of further masters, without slots.
    pub spare: usize,
    /// Number of replicas of each master.
    pub replicas: usize,
    /// The other members consider a member dead after this time without an answer.
    pub node_timeout: Duration,
    /// The directory for data and logs. `None`: temporary directories, which are deleted with the members.
    pub directory: Option<PathBuf>,
    /// On which ports and addresses each member listens.
    pub listen: Options,
}

impl Default for ClusterOptions {
    /// The default cluster has three masters and no replicas.
    fn default() -> Self {
        Self {
            masters: 3,
            spare: 0,
            replicas: 0,
            node_timeout: Duration::from_secs(2),
            directory: None,
            listen: Options::default().with_port(),
        }
    }
}

impl ClusterOptions {
    /// The options of one member.
    pub(super) fn member(&self, number: usize) -> Options {
        let timeout = self.node_timeout.as_millis().to_string();
        let options = self.listen.clone().of(Part::Member).with(&[
            "--cluster-node-timeout",
            &timeout,
            "--cluster-require-full-coverage",
            "no",
            "--cluster-allow-replica-migration",
            "no",
        ]);
        match &self.directory {
            Some(directory) => options.in_directory(directory.join(format!("redis-{number}"))),
            None => options,
        }
    }
}
