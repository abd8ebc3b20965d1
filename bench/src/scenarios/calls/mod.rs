//! Calls of frontends to a service.

mod scenario;
pub(super) mod service;

pub(super) use scenario::Schedule;
pub(crate) use scenario::{Arguments, run};
