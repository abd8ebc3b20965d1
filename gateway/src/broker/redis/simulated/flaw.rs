//! Faults that a test can plant, to prove that the simulation finds them.

use serde::{Deserialize, Serialize};

/// A planted fault. "It" is the simulated server. The simulation must find each fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// It sends a publication to subscribers first, and stores it with the next one
    DeliversBeforeStoring,
    /// A failover begins no new timeline
    OneEpoch,
    /// A new timeline has its fork at a later offset than the real one
    ForksLate,
    /// It forgets idempotency keys
    ForgetsAnswers,
    /// It executes a publish after its deadline
    AcceptsLate,
    /// It executes a publish after a later one
    StoresOutOfOrder,
    /// It carries out a producer's publish although others are missing before it
    IgnoresGaps,
    /// It confirms a subscription that takes effect only with the next command
    ConfirmsEarly,
    /// It loses every tenth message
    LosesMessages,
    /// It sends every third publication to subscribers without one of its tags
    LosesTags,
    /// The node does not check for lost publications after a broken connection
    UncheckedResume,
    /// The node logs an ERROR when its subscriber connection breaks
    LogsError,
}

impl Flaw {
    /// All flaws.
    pub fn all() -> &'static [Self] {
        <Self as clap::ValueEnum>::value_variants()
    }

    /// The name of the flaw in test cases and on the command line.
    pub fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
