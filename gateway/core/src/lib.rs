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
//! | `queue` | entries and partitions of queues, and the decisions of their owners |
//! | `channel` | namespaces, permissions, recovery, detection of gaps |
//! | `limits` | how much a peer may ask for in a time |
//! | `model` | ids, names, positions, publications, pages of history, errors |

pub mod channel;
pub mod event_source;
pub mod limits;
pub mod model;
pub mod protocol;
pub mod queue;
pub mod session;
pub mod stomp;
