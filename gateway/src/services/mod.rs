//! Calls, events and links of services. What the frontend sends is in `connection`; what the instances publish is in `publish`.
//!
//! A call goes from a frontend to one instance of a service and has one answer; an event has none. Both reach the instance over the
//! link that it holds open to this node. The frontend's socket never pays for a failing service: the call ends with a code.
//!
//! - [`services`]: all services; [`service`]: one of them; [`config`]: how they are configured
//! - [`call`]: one call; [`call_types`]: its types; [`method`]: the service that it names; [`lanes`]: the order of calls
//! - [`pool`]: the instances of a service; [`instance`]: one of them; [`breaker`]: which of them get calls
//! - [`lifecycle`]: events about connections; [`mourning`]: those about connections of dead nodes
//! - [`link`]: the WebSocket of one instance; [`counters`]: what is counted

mod breaker;
mod call;
mod call_types;
mod config;
mod counters;
mod instance;
mod lanes;
mod lifecycle;
pub mod link;
mod method;
mod mourning;
mod pool;
mod service;
mod services;

pub use breaker::{BreakerLimits, BreakerState};
pub use call_types::{CallError, Caller};
pub use config::{LinkLimits, OrderBy, Reach, ServiceConfig};
pub use counters::{Count, Counters};
pub use instance::InstanceSummary;
pub use lifecycle::{Lifecycle, LifecycleKind};
pub use services::{ServiceSummary, Services};
