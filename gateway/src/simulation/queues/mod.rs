//! Runs of the owner of a partition: the real task of several nodes, against a simulated store.
//!
//! Simulated: the store, the connections to it, and the consumers. Each request and each answer is a step of its own, which may come late or never. A node
//! may be frozen, die, or stop. Time advances only in steps that say so. After the last step all faults end ([`final_phase`]).
//!
//! Checked at every step ([`ledger`]):
//!
//! - only the owner changes entries, and only the owner delivers;
//! - the first deliveries of a key are in the order of its events, each after the one before it is done or a dead letter;
//! - an event is delivered again only for a reason: a failure, a delivery that was taken back, another owner;
//! - an entry is deleted only when a consumer was done with it; it becomes a dead letter only after its tries, a refusal, or its end;
//! - an event is stored once.
//!
//! And in the end: every accepted event is done or a dead letter.

mod explored;
mod final_phase;
mod flaw;
mod ledger;
mod node;
mod plan;
mod run;
mod server;
mod situations;
#[cfg(test)]
mod tests;
mod wire;
mod world;

pub use explored::{find_flaws, replay_corpus, shrink_flaw, try_seeds};
pub use flaw::QueueFlaw;
