//! The broker with a simulated Redis, for simulations. All is real but connections and the server, and nothing happens by itself.
//!
//! - [`server`]: the store; [`lineage`]: everything that it ever held
//! - [`connections`]: a node's connections; [`subscriber`]: the one that subscribes

mod connections;
mod lineage;
mod server;
mod subscriber;

pub(crate) use connections::{Purpose, SimulatedConnections, broker};
pub(crate) use lineage::Lineage;
pub(crate) use server::{Flaw, Server};
