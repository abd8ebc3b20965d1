//! Moves deliveries through the hub: from the mailbox to the channels, and from the channels to the outboxes.
//!
//! - [`deliver`]: from the mailbox to the channels; [`backfill`]: history reads that close gaps
//! - [`fan_out`]: from the channels to the outboxes, in slices, with the slow-consumer policy
//! - [`fork_transition`]: from one timeline to the next; [`resubscribes`]: clients that have to subscribe again

mod backfill;
mod deliver;
mod fan_out;
mod fork_transition;
mod resubscribes;
