//! One STOMP connection: what its frames ask of the session, and what the session's answers become. Sans-I/O: WebSocket messages, answers and
//! time in, [`Step`]s out.
//!
//! | module | what |
//! |---|---|
//! | `translator`, `phases` | [`Translator`]: its phases, and which code handles an input |
//! | `connect`, `open` | the CONNECT frame; everything after CONNECTED |
//! | `rules` | settings, destinations, what bodies become |
//! | `state` | subscriptions, commands in flight, transactions, heart-beats |
//! | `context`, `failure`, `refusal` | what the handling of one input needs, and ERROR frames |
//! | `interface` | what a translator takes and returns |
//!
//! Every frame with a `receipt` header gets one RECEIPT or one ERROR with that id, unless the client or the gateway goes before. A SUBSCRIBE takes effect
//! before the next frame is handled; other frames do not wait for each other. An ERROR for a frame says that this frame has changed nothing; only a
//! COMMIT may have carried out frames before, and it carries out no more. Where the row of a destination says so, a MESSAGE stands for the ERROR.

mod connect;
mod context;
mod failure;
mod interface;
mod open;
mod phases;
mod refusal;
mod rules;
mod state;
#[cfg(test)]
mod tests;
mod translator;

pub use interface::{Step, StompStart};
pub use rules::{
    AfterRefusal, CallTarget, DestinationRule, DestinationTable, InvalidRule, InvalidTable, StompConfig, Target, TransactionLimits,
    UnknownDestination,
};
pub use translator::Translator;
