//! The identity of a Redis process.

/// A Redis process and its address. After a failover an address leads to another process, while connections to the old process may stay
/// open. A subscriber at the old process misses everything that is published at the new one. So all connections of a node must lead to the
/// same server as the newest connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    pub(super) run_id: Box<str>,
    pub(super) address: Box<str>,
}

impl Server {
    /// Whether the process reports its run id. A proxy may hide the id.
    pub(super) fn has_run_id(&self) -> bool {
        self.run_id.bytes().any(|byte| byte != b'0')
    }
}
