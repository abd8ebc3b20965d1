//! A connected session: it runs commands, and handles the outcomes of operations.

mod open_session;
mod refresh;
mod renew;
mod request;
mod server_commands;
mod subscribe;

pub(super) use open_session::OpenSession;
