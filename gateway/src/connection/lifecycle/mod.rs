//! Lifecycle events of a connection, for services.
//!
//! - [`state`]: which of them services have received; [`reporter`]: reports them

mod reporter;
mod state;

pub(super) use state::LifecycleState;
