//! Keeps one link to every node of the cluster: addresses, sockets, reconnects, and the sessions on linked sockets.
//!
//! Which publication goes over which link does not belong here; see `publishing`.

mod address;
mod reconnect;
mod session;
mod socket;
mod supervisor;

pub(super) use address::link_url;
pub(super) use session::CLOSE_TIMEOUT;
pub(super) use socket::bearer;
pub(super) use supervisor::keep_linked;
