//! Explores more seeds of the simulation than the tests do. `gateway/src/simulation` explains it.

use clap::Parser;
use gateway::testing::simulation::{Flaw, replay_corpus, shrink_flaw, try_seeds};
use std::process::ExitCode;

/// Runs the no-loss logic against a simulated Redis, on many seeds. Prints how many runs reached each situation, or a shrunk case that fails.
#[derive(Parser)]
struct Options {
    /// Number of seeds
    #[arg(long, default_value_t = 40_000)]
    seeds: u64,
    /// First seed; the tests try those from 0 to 2999
    #[arg(long, default_value_t = 3000)]
    first: u64,
    /// Plant this flaw, and write a shrunk case that finds it
    #[arg(long)]
    flaw: Option<Flaw>,
}

fn main() -> ExitCode {
    let Options { seeds, first, flaw } = Options::parse();
    let seeds = first..first.saturating_add(seeds);
    let end = match flaw {
        Some(flaw) => shrink_flaw(flaw, seeds),
        None => explore(seeds),
    };
    match end {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(report) => {
            println!("{report}");
            ExitCode::FAILURE
        }
    }
}

fn explore(seeds: std::ops::Range<u64>) -> Result<String, String> {
    println!("{} cases of the corpus hold", replay_corpus()?);
    let tally = try_seeds(seeds.clone())?;
    Ok(format!("seeds {} to {} hold\nruns      situation\n{tally}", seeds.start, seeds.end - 1))
}
