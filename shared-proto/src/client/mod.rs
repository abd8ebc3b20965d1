//! Typed clients for services.
//!
//! - [`rest::Gateway`]: the gateway's REST interface, over several nodes
//! - [`link::Link`]: the WebSocket links of a service instance to every node of the cluster
//! - [`Failure`]: what both say when a request did not succeed
//! - [`backoff`]: growing, jittered pauses between attempts

pub mod backoff;
mod failure;
pub mod link;
pub mod rest;

pub use failure::Failure;
