//! What all connections of a worker share.

use super::limits::ConnectionLimits;
use crate::{hub::Hub, node::Node};
use std::{rc::Rc, sync::Arc};

/// See the module.
pub struct Worker {
    /// Their hub.
    pub hub: Rc<Hub>,
    /// Their node.
    pub node: Arc<Node>,
    /// Their bounds.
    pub limits: ConnectionLimits,
}
