//! An accepted stream: losses, and its end.

use super::{interface::Step, rejection, stream::Stream};
use crate::{
    model::{Disconnect, RecoverFrom, Recovery, Refusal, Unsubscribe},
    protocol::{Command, Push, Reply},
};

/// What ends a stream.
#[derive(Debug)]
pub(super) enum Ending {
    /// The client must not come back. It learns this code and reason.
    ForGood(u32, Box<str>),
    /// The client may come back at once.
    ForNow,
}

/// The state of an accepted stream besides what it writes.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// Subscribes after losses that are not answered: the id of the command, and the index of the channel. Mostly there are none, and then this
    /// holds no memory.
    rejoining: Vec<(u32, usize)>,
}

impl Open {
    /// The session answered a command.
    pub(super) fn reply(&mut self, stream: &mut Stream, id: u32, reply: Reply, steps: &mut Vec<Step>) -> Option<Ending> {
        let at = self.rejoining.iter().position(|(command, _)| *command == id)?;
        let (_, index) = self.rejoining.swap_remove(at);
        if self.rejoining.is_empty() {
            self.rejoining = Vec::new();
        }
        match reply {
            Reply::Subscribe(subscribed) => {
                let mut out = Vec::new();
                if subscribed.recovery != Recovery::Recovered {
                    stream.write_reset(index, subscribed.position, &mut out);
                }
                stream.write_missed(index, &subscribed, &mut out);
                if !out.is_empty() {
                    steps.push(Step::Send(out));
                }
                None
            }
            Reply::Error(refusal) => Some(ending(refusal)),
            Reply::CallFailed { message, temporary, .. } => Some(ending(rejection::of_service(message, temporary))),
            _ => Some(Ending::ForNow),
        }
    }

    /// The session has something for the client that answers no command.
    pub(super) fn push(&mut self, stream: &mut Stream, last_command: &mut u32, push: Push, steps: &mut Vec<Step>) -> Option<Ending> {
        match push {
            Push::Message { .. } => steps.push(Step::Undelivered),
            Push::Publication(channel, publication) => {
                let index = stream.index(&channel)?;
                let mut out = Vec::new();
                stream.write_publication(index, &publication, &mut out);
                steps.push(Step::Send(out));
            }
            Push::Unsubscribe(channel, Unsubscribe::InsufficientState) => {
                let index = stream.index(&channel)?;
                if self.rejoining.iter().all(|(_, rejoining)| *rejoining != index) {
                    self.rejoin(stream, index, last_command, steps);
                }
            }
            Push::Unsubscribe(channel, why) => {
                stream.index(&channel)?;
                return Some(Ending::ForGood(why.code().into(), why.reason().into()));
            }
            // Nobody asked for joins and leaves, and no service can subscribe a stream to a channel. Comments stand for pings, and `end` for a disconnect.
            Push::Ping | Push::Join(..) | Push::Leave(..) | Push::Subscribe(..) | Push::Disconnect { .. } => {}
        }
        None
    }

    /// Subscribes again to a channel of which publications were lost.
    fn rejoin(&mut self, stream: &Stream, index: usize, last_command: &mut u32, steps: &mut Vec<Step>) {
        let recover = stream.position(index).map_or_else(RecoverFrom::nowhere, RecoverFrom::from);
        if let Some(request) = stream.subscribe(index, Some(recover)) {
            *last_command = last_command.checked_add(1).unwrap_or(1);
            self.rejoining.push((*last_command, index));
            steps.push(Step::Command(Command { id: *last_command, request }));
        }
    }
}

impl Ending {
    /// The code and the reason for the end of the connection.
    pub(super) fn close(&self) -> (u16, Box<str>) {
        let why = match self {
            Self::ForGood(code, _) if *code == u32::from(Unsubscribe::Expired.code()) => Disconnect::Expired,
            Self::ForGood(..) => Disconnect::ForceDisconnect,
            Self::ForNow => Disconnect::InsufficientState,
        };
        (why.code(), why.reason().into())
    }
}

/// The end after a refused subscribe.
fn ending(refusal: Refusal) -> Ending {
    if matches!(rejection::Rejection::of(refusal.clone(), false), rejection::Rejection::Later(_)) {
        Ending::ForNow
    } else {
        Ending::ForGood(refusal.code.row().client, refusal.detail.into())
    }
}
