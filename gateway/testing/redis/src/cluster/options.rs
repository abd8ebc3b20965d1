//! How a cluster is started.

use crate::servers::options::{Options, Part};
use std::{path::PathBuf, time::Duration};

/// How a cluster is started.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Masters that share the slots.
    pub masters: usize,
    /// Further masters, without slots.
    pub spare: usize,
    /// Replicas of each master.
    pub replicas: usize,
    /// A member is dead for the others after so long a silence.
    pub node_timeout: Duration,
    /// Where data and logs go; none: to directories that end with the members.
    pub directory: Option<PathBuf>,
    /// How each member listens.
    pub listen: Options,
}

impl Default for ClusterOptions {
    /// Three masters without replicas.
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
    /// Of one member.
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
