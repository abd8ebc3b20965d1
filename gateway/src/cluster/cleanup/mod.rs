//! The clean-up after nodes that have ended without leaving the cluster.
//!
//! - [`dead_nodes`]: what a dead node leaves behind; [`presence_sweep`]: what that clean-up missed

mod dead_nodes;
mod presence_sweep;
