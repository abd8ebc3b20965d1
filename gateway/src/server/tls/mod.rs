//! TLS of the listeners: what the files of the settings contain, and the configuration that is made of it.
//!
//! - [`files`]: reads the files; [`pairs`]: certificates with their keys, and the choice among them
//! - [`validity`]: when a certificate is valid
//! - [`config`]: the configuration of a listener
//! - [`follower`]: swaps the configuration when the files change
//! - [`probe`]: how the command `health` reaches a listener with TLS

mod config;
mod files;
mod follower;
mod pairs;
mod probe;
mod validity;

#[cfg(test)]
mod tests;

pub(super) use follower::{FollowedTls, ListenerTls, observe};
pub use probe::probe_tls;

use crate::settings::{NodeRole, Problems, Settings};
use files::Files;

/// Reads the files of both listeners, as a start does.
pub(crate) fn check(settings: &Settings) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for (listener, tls) in [("public", &settings.public.tls), ("internal", &settings.internal.tls)] {
        let is_served = listener != "public" || settings.node.role == NodeRole::Full;
        if is_served
            && !tls.pairs.is_empty()
            && let Err(found) = Files::read(tls).config(listener)
        {
            problems.append(found);
        }
    }
    problems.into_result(())
}
