//! The logic of the gateway without I/O. Each module takes inputs (what happened) and returns actions (what to do). There are no sockets, clocks,
//! tasks or stores here, so tests need none.
//!
//! A module uses only the modules below it.
//!
//! | module | what |
//! |---|---|
//! | `stomp` | one STOMP connection: frames to commands, and answers to frames |
//! | `event_source` | one event stream: its request to commands, and answers to events |
//! | `session` | the state machine of one connection |
//! | `protocol` | frames to commands, and replies to frames |
//! | `channel` | namespaces, permissions, recovery, detection of gaps |
//! | `model` | ids, names, positions, publications, pages of history, errors |

pub mod channel;
pub mod event_source;
pub mod model;
pub mod protocol;
pub mod session;
pub mod stomp;
