//! The settings of an owner.

use gateway_core::queue::owner::OwnerLimits;

/// The settings of the owner of a partition.
#[derive(Clone, Debug)]
pub struct OwnerConfig {
    /// The name of this node.
    pub node: Box<str>,
    /// The limits that it keeps.
    pub limits: OwnerLimits,
}
