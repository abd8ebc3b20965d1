//! What goes into queues.
//!
//! - [`frontend`]: events of frontends; [`producer`]: publications of services, by ingest
//! - [`visitor`]: frontends that come and go, for lifecycle events

mod frontend;
mod producer;
mod visitor;

pub(crate) use frontend::{Manner, send_events};
pub(crate) use producer::produce;
pub(crate) use visitor::{VISITORS, visit};
