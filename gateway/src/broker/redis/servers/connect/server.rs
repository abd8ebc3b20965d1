//! Which process of Redis answers.

/// A process of Redis, and where it was found. After a failover an address leads to another one, while connections to the old one may go on: whoever
/// subscribes there hears nothing of what is published here. So all connections of a node follow the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    pub(super) run_id: Box<str>,
    pub(super) address: Box<str>,
}

impl Server {
    /// Whether it says which process it is. What stands between may hide that.
    pub(super) fn is_named(&self) -> bool {
        self.run_id.bytes().any(|byte| byte != b'0')
    }
}
