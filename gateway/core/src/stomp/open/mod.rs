//! An open STOMP connection: what frames, answers and pushes cause.

mod connection;
mod rejoin;
mod replies;
mod send;
mod subscribe;

pub(super) use connection::OpenConnection;
