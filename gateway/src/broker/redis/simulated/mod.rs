//! The broker with a simulated Redis. Only the connections and the server are simulated. Each step happens when the simulation starts it.
//!
//! - [`server`]: the store; [`lineage`]: the full history of each channel; [`payload`]: what publications carry; [`flaw`]: faults to plant
//! - [`connections`]: the connections of a node; [`subscriber`]: the subscriber connection among them

mod connections;
mod flaw;
mod lineage;
pub(crate) mod payload;
mod server;
mod subscriber;

pub(crate) use connections::{Purpose, SimulatedConnections, broker};
pub use flaw::Flaw;
pub(crate) use lineage::Lineage;
pub(crate) use server::Server;
