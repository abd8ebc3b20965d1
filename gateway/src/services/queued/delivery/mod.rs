//! Deliveries, from the owner of a partition to the service and back.
//!
//! - [`deliverer`]: the way to the service; [`to_webhook`]: as a request; [`in_hand`]: one delivery until its end

pub(super) mod deliverer;
pub(in crate::services) mod in_hand;
mod to_webhook;
