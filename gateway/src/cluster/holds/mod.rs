//! The channels with `lifecycle` that have subscribers on this node, and their occupations in the cluster.
//!
//! - [`holds`]: tells the broker, and announces begins and ends of occupations; [`table`]: what is to do, without I/O

#[expect(clippy::module_inception, reason = "the folder has the name of its main type")]
pub(super) mod holds;
mod table;
