//! What inputs cost, and what follows if a connection exceeds its limits.

use super::{Outcome, SessionConfig};
use crate::{
    limits::{Level, Limit, TrafficMeters, Verdict},
    model::{Tick, UserId},
    protocol::{Command, Request},
};

/// So many bytes without a command are charged to the user. Fewer are charged together with the next command.
const UNPAID_BYTES: u32 = 16 * 1024;

/// Charges a session, and its user.
pub(super) struct Charge<'a> {
    pub(super) config: &'a SessionConfig,
    pub(super) user: Option<&'a UserId>,
    pub(super) now: Tick,
    pub(super) own: &'a mut TrafficMeters,
    /// Bytes that are not charged to the user yet.
    pub(super) unpaid: &'a mut u32,
}

impl Charge<'_> {
    /// A message or a control frame arrived. Returns the limit that is exceeded, and how much.
    pub(super) fn received(self, bytes: u64, commands: u64) -> Option<(Level, Limit)> {
        let own = self.own.charge(&self.config.rates, self.now, bytes, commands);
        *self.unpaid = self.unpaid.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        let of_user = if commands == 0 && *self.unpaid < UNPAID_BYTES { None } else { self.user(commands) };
        worse(own, of_user)
    }

    /// A command arrived, in a message that was received. Returns the limit that is exceeded, and how much.
    pub(super) fn command(self) -> Option<(Level, Limit)> {
        let own = self.own.charge(&self.config.rates, self.now, 0, 1);
        worse(own, self.user(1))
    }

    /// An answer had this many entries.
    pub(super) fn answered(self, entries: usize) {
        if entries == 0 {
            return;
        }
        self.own.answered(&self.config.rates, self.now, entries);
        if let (Some(user), Some(rates)) = (self.user, &self.config.user_rates) {
            rates.answered(self.now, user, entries);
        }
    }

    fn user(self, commands: u64) -> Option<Verdict> {
        let bytes = std::mem::take(self.unpaid);
        let (user, rates) = (self.user?, self.config.user_rates.as_ref()?);
        Some(rates.charge(self.now, user, bytes.into(), commands))
    }
}

fn worse(own: Verdict, of_user: Option<Verdict>) -> Option<(Level, Limit)> {
    let (level, limit) = match of_user {
        Some(user) if user.level > own.level => (user.level, Limit::of_user(user.of)),
        _ => (own.level, Limit::of_connection(own.of)),
    };
    (level != Level::Within).then_some((level, limit))
}

/// What becomes of a command that exceeds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// It is carried out.
    None,
    /// It is answered with an error.
    Refuse,
    /// The connection is closed.
    Close,
}

/// Whether a command costs something. The reply of a service, which a frontend did not send, does not.
pub(super) fn is_metered(request: &Request) -> bool {
    !matches!(request, Request::PublishReply { .. })
}

/// What becomes of a command that exceeds a limit for the first time.
///
/// A pong has no answer, and upon an error to an unsubscribe the SDK would close the connection. Both cost little.
pub(super) fn consequence(command: &Command) -> Consequence {
    match command.request {
        Request::Pong | Request::Unsubscribe { .. } => Consequence::None,
        _ if command.id == 0 => Consequence::Close,
        _ => Consequence::Refuse,
    }
}

/// The entries of an answer, which a command did not cost when it came.
pub(super) fn entries(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::History { publications, .. } => publications.len(),
        Outcome::Presence(clients) => clients.len(),
        Outcome::Attached(attached) => attached.publications.len(),
        _ => 0,
    }
}
