//! Limits of questions, and who decides about connections.

use gateway_core::model::ServiceName;
use std::time::Duration;

/// Limits of the questions of a node, and the service that decides about connections.
#[derive(Clone, Debug)]
pub struct GuardConfig {
    /// Longest time for an answer.
    pub timeout: Duration,
    /// Questions to one service that wait or are in flight.
    pub max_in_flight: usize,
    /// Answers of each kind that are remembered.
    pub cache_entries: usize,
    /// How long revocations of users are remembered. No answer is remembered for longer, counted from its question.
    pub revocation_ttl: Duration,
    /// Who decides about connections; none: tokens only.
    pub connect: Option<ConnectGuard>,
}

/// The service that decides about connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectGuard {
    /// The service.
    pub service: ServiceName,
    /// Who checks tokens.
    pub tokens: TokenCheck,
}

/// Who checks the token of a connect command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenCheck {
    /// The gateway. A valid token names the user, and an invalid one is refused. The service is asked for the rest, and about connections without a token.
    First,
    /// Only the service.
    Never,
}

impl Default for GuardConfig {
    fn default() -> Self {
        let revocation_ttl = Duration::from_hours(24);
        Self { timeout: Duration::from_secs(2), max_in_flight: 10_000, cache_entries: 100_000, revocation_ttl, connect: None }
    }
}
