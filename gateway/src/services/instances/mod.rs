//! The instances of one service: their links, credit and calls in flight, and the choice of one for the next call. The links themselves are in
//! `link`.
//!
//! - [`pool`]: all instances of the service; [`instance`]: one of them; [`breaker`]: whether it gets calls

pub(super) mod breaker;
pub(super) mod instance;
pub(super) mod pool;
