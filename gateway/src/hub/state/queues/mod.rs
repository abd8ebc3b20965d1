//! What waits for the tasks of a hub.
//!
//! - [`presence_queue`], [`registry_queue`]: what they have to write; [`resubscribe_queue`]: who has to subscribe again
//! - [`posted_queue`]: commands that came in requests of their own; [`revocation_checks`]: connections whose revocations have to be looked up

pub(crate) mod posted_queue;
pub(crate) mod presence_queue;
pub(crate) mod registry_queue;
pub(crate) mod resubscribe_queue;
pub(in crate::hub) mod revocation_checks;
