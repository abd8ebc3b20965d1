//! Connections to one server, and the checks of each new connection. What the connections carry is the matter of other folders.
//!
//! - [`connector`]: makes connections; [`route`]: pool and client for one server; [`sentinel`]: finds the master
//! - [`control_connection`]: carries periodic queries; [`predecessor_guard`]: makes the server end the connection before
//! - [`server_check`]: version, mode and policy of the server; [`rights`]: rights of the user; [`server_assignment`]: agreement of all nodes
//!   on the server's role; [`connect_error`]: all errors

pub(crate) mod connect_error;
pub(crate) mod connector;
mod control_connection;
pub(crate) mod predecessor_guard;
pub(crate) mod rights;
mod route;
mod sentinel;
pub(crate) mod server;
pub(crate) mod server_assignment;
mod server_check;
pub(crate) mod timing;
