//! The way of deliveries through the hub: from the mailbox to the channels, and from there to the outboxes.
//!
//! - [`deliver`]: from the mailbox to the channels; [`backfill`]: reads that close gaps
//! - [`fan_out`]: from the channels to the outboxes, in slices
//! - [`fork_transition`]: from one timeline into the next; [`resubscribes`]: subscriptions that cannot follow

mod backfill;
mod deliver;
mod fan_out;
mod fork_transition;
mod resubscribes;
