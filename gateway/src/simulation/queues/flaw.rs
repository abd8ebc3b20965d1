//! Planted faults.

use serde::{Deserialize, Serialize};

/// A planted fault of the simulated store, or of a node. The simulation must find each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum QueueFlaw {
    /// The store accepts an acknowledgement by a node that does not own the partition any more
    StaleAcknowledge,
    /// After a takeover the store shows pending entries only when it has no new ones
    NewBeforePending,
    /// The store counts a takeover as a try
    TakeoverIsTry,
    /// A node counts it as a try if the service is absent
    AbsenceIsTry,
    /// The store gives a partition to a second owner while the first one has a lease
    TwoOwners,
    /// The store forgets which entries are pending when it restarts
    ForgetsPending,
    /// The store hands out the entries behind those whose answer was lost
    SkipsUnanswered,
    /// The same, but only in the first read of an owner
    SkipsFirstUnanswered,
    /// The store deletes the oldest entry for a new one when it is full
    Trims,
    /// The store deletes an entry that has no place among the dead letters
    DropsDead,
    /// The store forgets ids, so that a repeated event is stored twice
    ForgetsIds,
    /// A node acknowledges a delivery as soon as it is written
    AcknowledgesEarly,
    /// A node does not ask right before a write whether it still owns the partition
    IgnoresGuard,
    /// A node delivers what has expired
    IgnoresExpiry,
}

impl QueueFlaw {
    /// All flaws.
    pub fn all() -> &'static [Self] {
        <Self as clap::ValueEnum>::value_variants()
    }

    /// The name of the flaw in test cases and on the command line.
    pub fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
