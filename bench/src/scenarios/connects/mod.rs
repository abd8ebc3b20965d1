//! Many clients that connect at the same moment.
//!
//! - [`reconnect`]: a guard decides about each of them; [`issuers`]: the keys for their tokens have a URL

pub(crate) mod issuers;
pub(crate) mod reconnect;
