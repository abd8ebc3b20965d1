//! Many runs: seeds that fail, shortened plans, and the corpus of plans that once found something. What happens within a run is not here.

mod case;
mod corpus;
mod flaws;
mod search;
mod shrink;
mod subject;
mod tally;

#[cfg(test)]
pub(super) use case::Case;
#[cfg(test)]
pub(super) use corpus::check;
pub(super) use corpus::replay_corpus;
pub(super) use flaws::{find_flaws, shrink_flaw};
pub(super) use search::try_seeds;
pub(super) use subject::{Plan, Record, Subject};
pub use tally::Tally;
