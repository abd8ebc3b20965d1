//! The instances of one service: their credit, their calls in flight, and the choice of the instance for the next call. The module `link`
//! contains the links themselves.
//!
//! - [`links`]: the pool behind its lock; [`pool`]: all instances of the service; [`instance`]: one of them; [`breaker`]: whether it gets calls;
//!   [`deliveries`]: events of its queue; [`latency`]: how long its calls took; [`drained_names`]: the instances that an operator drains

pub(super) mod breaker;
mod deliveries;
mod drained_names;
pub(super) mod instance;
pub(super) mod latency;
pub(super) mod links;
pub(super) mod pool;
