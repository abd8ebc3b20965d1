//! What connections have still to send. Nothing here knows channels' state.
//!
//! - [`outbox`]: the queue of one connection; [`batch`]: bytes that many connections share; [`encode`]: how they are made

pub(crate) mod batch;
pub(crate) mod encode;
pub(crate) mod outbox;
