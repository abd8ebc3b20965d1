//! Commands on their way to Redis and back: lanes, which keep their order through every interruption. What the commands mean is no matter of this folder.
//!
//! What waits for a master goes out together, one round after the other. So the order in which commands come is that in which Redis carries them out, also
//! when a connection breaks: what was not answered is sent again, ahead of everything newer, by ids that make a repeat harmless. Where a slot moves
//! from one master to another, a command waits until the last one of its order was answered there.
//!
//! - [`lane`]: the near end; [`driver`]: the task that keeps a lane going; [`branch`]: its connection to one master
//! - [`job`]: a command on its way; [`queue`]: those that wait for one master; [`limits`]: bounds

mod branch;
pub(crate) mod driver;
pub(crate) mod job;
pub(crate) mod lane;
pub(crate) mod limits;
mod queue;
