//! A deterministic simulation of what keeps publications from being lost.
//!
//! Real: sessions, connections (without their sockets), hubs with their feeds, slots and outboxes, mailboxes, the subscriptions of a node and their roster,
//! audits, the queues of command lanes, the codec. Simulated: the Redis server and the connections to it, so that each command, answer, confirmation
//! and announcement is a step of its own, which may come late or never. Time stands still but for steps that let it pass.
//!
//! A *plan* is a shape (how many nodes, how small their buffers) and a list of steps, both made from a seed. Steps know nothing of the state: one that finds nothing
//! to do does nothing; so a plan can be made shorter while it still fails. After the last step everything is mended ([`calm`]), and all has to come to rest.
//!
//! What is checked, at every step (docs/redis.md promises it):
//!
//! - a client gets the publications of one timeline, each once, in order and without a gap, from the position that it was told;
//! - a recovery says that nothing is missing only where that is so, and that something is only where it may be; what is held comes all the same;
//! - no position is told that the store never had;
//! - an acknowledged publication stands where its answer said; one that was refused is stored nowhere, not even later; none is stored twice;
//! - publishes of one node into one channel are stored in the order in which they came.
//!
//! And at rest: every client has all that the store holds, nobody waits for anything, without any audit; when all have gone, nothing is left of them.
//!
//! The unit tests try a few hundred seeds. The integration test `simulation` tries some thousand: `SIMULATION_RUNS` sets how many, `SIMULATION_SEED` where they
//! begin.
//!
//! # That it finds something
//!
//! Each [`Flaw`] of the model is found within the seeds that the integration test tries, which another one proves. So is each of these changes to the real code, made by hand:
//!
//! - feed: the epoch is not compared for what is next, for a top that was seen, or for a page; a page need not continue the position; a top that was seen
//!   during a read or a rest is forgotten; the first attach begins no read that is due; a page counts that an earlier life of the channel asked for;
//! - roster: what a broken connection interrupted is not checked;
//! - attach: live with another epoch than the feed's, behind the top that was read, with an attach buffer that overflowed, as if nothing had been
//!   handed over before, or without catching up; a page while catching up is of another epoch, or does not continue the cursor;
//! - recovery: a position behind a fork counts as valid, also where a worker answers from memory; trimming is not told, what is held is left out;
//! - forks and losses: subscribers are not told, neither live ones nor those that catch up;
//! - mailbox: a full share drops without a mark; members: an index is not moved along;
//! - lane: unanswered commands go behind newer ones, or count as surely not carried out.
//!
//! What it does not reach: a Redis Cluster of several masters, presence, channels without history, the policy `latest`.

mod calm;
mod client;
mod engine;
mod node;
mod plan;
mod publisher;
mod search;
mod world;

pub use search::{find_flaws, try_seeds};
