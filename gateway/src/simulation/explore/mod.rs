//! Many runs: seeds that fail, shortened plans, and the corpus of plans that once found something. What happens within a run is not here.

mod case;
mod corpus;
mod flaws;
mod search;
mod shrink;

pub use corpus::replay_corpus;
pub use flaws::{find_flaws, shrink_flaw};
pub use search::try_seeds;
