//! Converts between sockets and frames. Knows neither channels nor sessions.
//!
//! | part | task |
//! |---|---|
//! | [`websocket`] | the public HTTP service and the WebSocket upgrade |
//! | [`wire`] | one WebSocket or stream: reads in turns, combines writes |
//! | [`origin`] | the page that sends a request |
//! | [`socket`] | socket options of the operating system, including those that only Linux has |

mod buffers;
mod origin;
pub mod socket;
pub mod websocket;
pub mod wire;

pub use origin::request_origin;
pub use socket::Abort;
pub use wire::{End, Next, Wire, WriteResult};
