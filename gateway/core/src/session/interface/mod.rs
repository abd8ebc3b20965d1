//! What a session takes and returns: settings, inputs, actions, operations. How it decides is elsewhere.

mod action;
mod config;
mod input;
mod op;
mod start;

pub use action::Action;
pub use config::SessionConfig;
pub use input::Input;
pub use op::{
    Attach, Attached, ConnectPermit, ConnectQuestion, Identity, NamedBy, Occasion, Op, OpId, Outcome, ServerSubscription, SubscribePermit,
};
pub use start::{PingForm, ServerSide, SessionStart};
