//! Floods of attackers beside honest clients. Gateway, honest clients and attacker are separate processes.
//!
//! - [`scenario`]: measures each [`flood`], and compares it with its [`bound`]
//! - [`attacker`]: the process that makes an [`attack`]; its floods hold what they got ([`holding`]) or send without a pause ([`storming`])
//! - [`counted`]: what the gateway counted meanwhile

mod attack;
pub(crate) mod attacker;
mod bound;
mod counted;
mod flood;
mod forged;
mod holding;
pub(crate) mod scenario;
mod storming;
