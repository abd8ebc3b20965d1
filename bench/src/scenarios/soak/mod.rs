//! One gateway under a mixed load that comes and goes, for half an hour: what it uses does not grow.
//!
//! - [`scenario`]: the cycles, and the verdict
//! - [`bed`]: the gateway, its issuer and its certificate; [`usage`]: what the gateway uses
//! - [`visitors`]: honest clients; [`strangers`]: those that never finish, are not let in, or come once

mod bed;
pub(crate) mod scenario;
mod strangers;
mod usage;
mod visitors;
