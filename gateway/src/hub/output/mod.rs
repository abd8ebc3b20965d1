//! The outgoing bytes of connections. Nothing here uses the state of channels.
//!
//! - [`outbox`]: the queue of one connection; [`batch`]: encoded bytes that many connections share; [`encode`]: the encoding

pub(crate) mod batch;
pub(crate) mod encode;
pub(crate) mod outbox;
