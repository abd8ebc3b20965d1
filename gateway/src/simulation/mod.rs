//! A deterministic simulation of the no-loss logic. The simulated Redis server itself is in `broker/redis/simulated`.
//!
//! Real: sessions, connections (without sockets), hubs, mailboxes, the subscriptions of a node, audits, the queues of command connections, and the codec.
//! Simulated: the Redis server and the connections to it. Each command, answer, confirmation and announcement is a step of its own, which may come late
//! or never. Time advances only in steps that say so.
//!
//! A *plan* is a shape (number of nodes, sizes of buffers) and a list of steps, both made from a seed. Steps do not depend on the state: a step that has
//! nothing to do does nothing. So a failing plan can be shortened. After the last step all faults end ([`final_phase`]), and everything must become idle.
//!
//! Checked at every step (docs/redis.md promises it):
//!
//! - a client gets the publications of one epoch, each once, in order and without a gap, from the position in its answer; one with a filter gets
//!   exactly those that pass it, and one with deltas makes each from those before it;
//! - a recovery reports no loss only if nothing is missing, and a loss only if something may be missing;
//! - after a loss, either all stored publications are delivered, or none from before the subscribe, as the run's shape says;
//! - no client gets a position that never existed in the store;
//! - an acknowledged publication has the position of its acknowledgement; a refused one is stored nowhere, not even later; none is stored twice;
//! - publishes of one node to one channel are stored in the order of their arrival.
//!
//! And when idle, without an audit: every client has all that the store has, and nothing waits. After all clients disconnected, nothing is left of them.
//!
//! A run also fails if it panics or logs a line at ERROR. Only one line is expected, see [`run`].
//!
//! The unit tests run some hundred seeds, the integration test `simulation` some thousand, `just simulate` any number. A failing plan is shrunk and written
//! as a case (see [`explore`]). Both tests first replay the corpus of such cases, `gateway/tests/simulation_corpus`. The integration test also fails if its seeds
//! do not reach all [`situations`].
//!
//! # What the simulation finds
//!
//! A test proves that each [`Flaw`] is found within the seeds of the integration test, and the corpus has a case of each. These changes of the real code, made by
//! hand, are found too; the corpus has cases of most. Some need more than the standard seeds, for example a forgotten top: seed 11387 finds it.
//!
//! - feed: the epoch is not compared for the next publication, for a known top, or for a page; a page need not continue the position; a top that was seen
//!   during a read or a pause is forgotten; the first attach begins no read that is due; a page counts that was read for an earlier subscription;
//! - subscription table: channels of a broken connection are not compared with the store;
//! - attach: it becomes live with another epoch than the feed's, behind the top that was read, with an attach buffer that overflowed, as if nothing had been
//!   delivered before, or without reading the missing range; a page of the missing range has another epoch, or does not continue the cursor;
//! - recovery: a position behind a fork counts as valid, also if a worker answers from memory; trimming is not reported, or stored publications are skipped;
//! - forks and losses: live subscribers or attaching subscribers are not informed;
//! - mailbox: a full share drops without a mark; members: an index is not updated after a move;
//! - fan-out: a client gets a delta to a publication that it did not receive;
//! - command queue: unanswered commands are queued behind newer ones, or count as not carried out.
//!
//! [`queues`] has runs of its own, for the owners of the partitions of queues.
//!
//! Not covered: a Redis Cluster of several masters, presence, channels without history, the policy `latest`.

mod channels;
mod client;
mod engine;
mod error_lines;
mod explore;
mod final_phase;
mod message;
mod node;
mod plan;
mod producers;
mod publisher;
pub mod queues;
mod run;
mod situations;
#[cfg(test)]
mod tests;
mod wake_flag;
mod world;

pub use crate::broker::simulated::Flaw;
pub use channels::{find_flaws, replay_corpus, shrink_flaw, try_seeds};
pub use explore::Tally;
