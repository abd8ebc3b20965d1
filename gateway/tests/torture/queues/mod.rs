//! Queues: events from frontends to services, publications from services by ingest, and lifecycle events.
//!
//! - [`plan`]: the services and what each is for; [`settings`]: their settings
//! - [`senders`]: what goes into the queues; [`consumers`]: the processes that take events out; [`life`]: whether these run
//! - [`events`]: records events and checks their deliveries; [`lifecycle`]: the same for lifecycle events; [`state`]: all of this
//! - [`checks`]: waits until everything accepted is processed; [`takeovers`]: counts new owners; [`report`]: the table of results
//! - [`redis_client`]: a client of the store

pub(crate) mod checks;
pub(crate) mod consumers;
pub(crate) mod events;
pub(crate) mod life;
pub(crate) mod lifecycle;
pub(crate) mod plan;
pub(crate) mod redis_client;
pub(crate) mod report;
pub(crate) mod senders;
pub(crate) mod settings;
pub(crate) mod state;
mod takeovers;
