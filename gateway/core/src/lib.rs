//! What the gateway decides. Every module here takes what happened and returns what to do: no sockets, clocks, tasks or stores, so that tests need none.
//!
//! Top uses bottom.
//!
//! | module | what |
//! |---|---|
//! | `session` | one connection's state machine |
//! | `protocol` | frames to commands and events |
//! | `channel` | namespaces, permissions, positions, feeds: the no-loss logic |
//! | `model` | ids, names, positions, publications, pages of history, the error table |

pub mod channel;
pub mod model;
pub mod protocol;
pub mod session;
