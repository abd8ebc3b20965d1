//! One link: the frames between this node and one instance of a service, over any transport that carries text messages.
//!
//! Four things go on at once, none of which waits for another: frames come in, frames go out, publications are stored, and the peer's
//! silence is measured. Whichever ends first ends the link, with a reason that both sides get to know.
//!
//! - [`serve`](mod@serve): the whole life of a link; [`hello`]: its first frame; [`ending`]: why it ends
//! - [`open_link`]: a link after its hello; [`incoming`]: frames from the instance; [`publishing`]: publications among them
//! - [`messages`]: what the transport carries; [`frames`]: how frames are written

mod ending;
mod frames;
mod hello;
mod incoming;
mod messages;
mod open_link;
mod publishing;
mod serve;

#[cfg(test)]
mod tests;

pub use ending::{CloseFrame, Ending};
pub use messages::{Invalid, Peer, Received, Sent};
pub use serve::serve;
