//! One link: the frames between this node and one instance of a service, over any transport of text messages.
//!
//! Four loops run concurrently: they read frames, write frames, store publications, and watch the heartbeat. The link ends when one of them ends.
//! The reason is logged and sent to the peer.
//!
//! - [`serve`](mod@serve): runs a link from its hello to its close; [`phases`]: its phases; [`hello`]: its first frame; [`ending`]: why it ends
//! - [`open_link`]: a link after its hello; [`incoming`]: frames of the instance; [`publish_queues`]: its publications
//! - [`messages`]: messages of the transport; [`frames`]: encodes frames

mod ending;
mod frames;
mod hello;
mod incoming;
mod messages;
mod open_link;
mod phases;
mod publish_queues;
mod serve;

#[cfg(test)]
mod tests;

pub use ending::{CloseFrame, Ending};
pub use messages::{Invalid, Peer, Received, Sent};
pub use serve::serve;
