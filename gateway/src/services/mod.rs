//! Services: calls, events, and the links of their instances. `connection` passes on what frontends send; `publish` gets what instances publish.
//!
//! A call goes from a frontend to a service and has one answer. An event has no answer. Both are written to the link that an instance keeps open to
//! this node, or sent as an HTTP request. A failing service never costs a frontend its connection: the call ends with an error.
//!
//! - [`services`]: all services; [`service`]: one of them; [`config`]: their configuration
//! - [`carrier`]: how a service is reached
//! - [`caller`]: the frontend behind a call; [`routes`]: what holds for the calls of a service or method
//! - [`call`]: one call; [`call_types`]: its types; [`order_queues`], [`order_place`]: the order of calls
//! - [`instances`]: the instances of a service; [`link`]: the WebSocket of one instance; [`webhook`]: services that are reached by HTTP
//! - [`repeats`]: calls with a key, of which a repeat gets the first answer
//! - [`guards`]: services that are asked before a frontend may do something
//! - [`queued`]: services that get their events through a queue
//! - [`lifecycle`]: events about connections and channels; [`cluster_events`]: events for which the cluster has the reasons
//! - [`counters`]: the counters of calls, events, publications and links

mod call;
mod call_types;
mod caller;
mod carrier;
mod cluster_events;
mod config;
mod counters;
mod guards;
mod instances;
mod lifecycle;
pub mod link;
mod order_place;
mod order_queues;
mod queued;
mod repeats;
mod routes;
mod service;
mod services;
mod webhook;

pub use call_types::{BadReply, BadReplyCause, CallError, Reply};
pub use caller::Caller;
pub use config::{LinkLimits, Reach, ServiceConfig};
pub use counters::{Count, Counters};
pub use guards::{
    ConnectFacts, ConnectTerms, Decision,
    config::{ConnectGuard, GuardConfig, TokenCheck},
    counters::{QuestionKind, QuestionResult},
};
pub use instances::breaker::{BreakerLimits, BreakerState};
pub use instances::{instance::InstanceSummary, latency::LatencySummary};
pub use lifecycle::{
    event::{Change, End, Lifecycle, Occupation, Origin, Subscription},
    kinds::{Interests, LifecycleKind},
    queue::LifecycleLimits,
    receipt::Receipt,
};
pub use queued::{
    config::{Deliver, QueueConfig, QueueLimits},
    counters::{EventResult, QueueCounters},
};
pub use routes::{
    forwarded::{ForwardedParts, KeptRequest, RequestKeeper},
    route::{AnsweredBy, Route},
};
pub use services::{Reached, ServiceSummary, Services};
pub use webhook::{config::WebhookConfig, targets::TargetSummary};
