//! One event stream of an EventSource: what its request asks of the session, and what the session's answers become. Sans-I/O: answers and pushes
//! in, [`Step`]s out.
//!
//! | module | what |
//! |---|---|
//! | `translator`, `phases` | [`Translator`]: its phases, and which code handles an input |
//! | `opening` | from the request to the decision whether there is a stream |
//! | `open` | an accepted stream: losses, and its end |
//! | `stream` | what is written, and where the client is |
//! | `resume` | where a stream begins |
//! | `rejection` | what the request is answered if there is no stream |
//! | `interface` | what a translator takes and returns |
//!
//! A client has no way to say something after its request. So the stream says what the client cannot find out: `reset` where publications are lost,
//! and `end` where it must not come back. It comes back by itself after any other end, and says with its last id where it was.

mod interface;
mod open;
mod opening;
mod phases;
mod rejection;
mod resume;
mod stream;
#[cfg(test)]
mod tests;
mod translator;

pub use interface::{Begin, Decision, EventSourceStart, Step};
pub use rejection::Rejection;
pub use translator::Translator;
