//! What happens to a session.

use super::{OpId, Outcome};
use crate::{
    model::{ChannelName, ServerCommand},
    protocol::Command,
};

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// The frontend sent a command.
    Command(Command),
    /// The frontend sent a control frame that answers a ping (RFC 6455, section 5.5.3).
    ControlPong,
    /// A service or the node sent a command.
    Server(ServerCommand),
    /// An operation ended.
    Done(OpId, Outcome),
    /// Publications of a subscribed channel were lost and can no longer be read. The session has to tell the client.
    PublicationsLost(ChannelName),
    /// The connection was not read, for reasons that the session does not know. So no pong could arrive.
    NotRead,
    /// The deadline may have passed; see [`Session::deadline`](crate::session::Session::deadline).
    Timer,
}
