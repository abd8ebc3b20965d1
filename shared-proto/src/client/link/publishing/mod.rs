//! Publishing through links: the queue of publications, and the task that distributes them to the links.
//!
//! Sockets do not belong here: a link is a channel of frames with an id.

mod channel_queue;
mod input;
mod links;
mod publication;
mod publish_queue;
mod publisher;
mod router;

pub(super) use input::{LinkUpdate, RouterChannels};
pub(super) use links::LinkId;
pub use publication::Publication;
pub use publisher::Publisher;
pub(super) use router::Router;
