//! Commands and answers. What particular commands do is not here.

pub(crate) mod connection;
pub(crate) mod reply;
