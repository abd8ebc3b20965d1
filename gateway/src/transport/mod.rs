//! Sockets to frames and back. Knows neither channels nor sessions.
//!
//! | part | what |
//! |---|---|
//! | [`websocket`] | the upgrade: a router of its own beside ordinary HTTP, and the public HTTP service with it |
//! | [`wire`] | one WebSocket: reads in turns, gathers writes |
//! | [`socket`] | socket options of the operating system; all that only Linux has |

mod buffers;
pub mod socket;
pub mod websocket;
pub mod wire;

pub use socket::Abort;
pub use wire::{End, Next, Wire, WriteResult};
