//! Connections to one server: how they are made, what a server has to be, and what is wrong when there is none. What is sent over them is no matter of this folder.
//!
//! - [`connector`]: makes connections; [`route`]: the way to one server; [`sentinel`]: where the master is now
//! - [`control_connection`]: carries what is asked again and again; [`predecessor_guard`]: ends the connection that came before
//! - [`server_check`]: whether a server can be relied on; [`probe`]: whether its user may do what a gateway does;
//!   [`server_assignment`]: whether all nodes take it for the same; [`connect_error`]: what else may be wrong

pub(crate) mod connect_error;
pub(crate) mod connector;
mod control_connection;
pub(crate) mod predecessor_guard;
pub(crate) mod probe;
mod route;
mod sentinel;
pub(crate) mod server;
pub(crate) mod server_assignment;
mod server_check;
pub(crate) mod timing;
