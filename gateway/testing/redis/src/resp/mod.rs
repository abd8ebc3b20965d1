//! Sends commands and reads answers. Nothing here depends on the command.

pub(crate) mod connection;
pub(crate) mod reply;
