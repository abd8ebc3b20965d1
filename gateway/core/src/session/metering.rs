//! What inputs cost, and what follows if a connection exceeds its limits.

use super::SessionConfig;
use crate::{
    limits::{Level, Limit, PeerKey, TrafficMeters, TrafficRates, Verdict},
    model::Tick,
    protocol::{Command, Request},
};

/// So many bytes without a command are charged. Fewer are charged together with the next command.
const UNPAID_BYTES: u32 = 16 * 1024;

/// Charges a session, and its user.
pub(super) struct Charge<'a> {
    pub(super) config: &'a SessionConfig,
    pub(super) user: Option<PeerKey>,
    pub(super) now: Tick,
    pub(super) own: &'a mut TrafficMeters,
    /// Bytes that are not charged yet.
    pub(super) unpaid: &'a mut u32,
}

impl Charge<'_> {
    /// A message or a control frame arrived. Returns the limit that is exceeded, and how much.
    pub(super) fn received(self, bytes: u64, commands: u64) -> Option<(Level, Limit)> {
        *self.unpaid = self.unpaid.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if commands == 0 && *self.unpaid < UNPAID_BYTES { None } else { self.pay(commands) }
    }

    /// A command arrived, in a message that was received. Returns the limit that is exceeded, and how much.
    pub(super) fn command(self) -> Option<(Level, Limit)> {
        self.pay(1)
    }

    /// An answer had this many entries.
    pub(super) fn answered(self, entries: usize) {
        let cost = TrafficRates::cost_of_answer(entries);
        if cost == 0 {
            return;
        }
        self.own.settle(&self.config.rates, self.now, cost);
        if let (Some(user), Some(rates)) = (self.user, &self.config.user_rates) {
            rates.settle(self.now, user, cost);
        }
    }

    fn pay(self, commands: u64) -> Option<(Level, Limit)> {
        let bytes = std::mem::take(self.unpaid).into();
        let own = self.own.charge(&self.config.rates, self.now, bytes, commands);
        let of_user = self.user.zip(self.config.user_rates.as_ref());
        worse(own, of_user.map(|(user, rates)| rates.charge(self.now, user, bytes, commands)))
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
