//! Explores more seeds of the simulation than the tests do. `gateway/src/simulation` explains it.

use clap::{Parser, ValueEnum};
use gateway::testing::simulation::{self, Flaw, queues};
use std::{ops::Range, process::ExitCode};

/// Runs the no-loss logic against a simulated Redis, on many seeds. Prints how many runs reached each situation, or a shrunk case that fails.
#[derive(Parser)]
struct Options {
    /// What runs
    #[arg(value_enum, default_value_t = Subject::Channels)]
    subject: Subject,
    /// Number of seeds
    #[arg(long, default_value_t = 40_000)]
    seeds: u64,
    /// First seed; the tests try those from 0 to 2999
    #[arg(long, default_value_t = 3000)]
    first: u64,
    /// Plant this flaw, and write a shrunk case that finds it; "all": find each, and shrink it
    #[arg(long)]
    flaw: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Subject {
    /// Publications on their way to subscribers
    Channels,
    /// The owners of the partitions of queues
    Queues,
}

fn main() -> ExitCode {
    let Options { subject, seeds, first, flaw } = Options::parse();
    let seeds = first..first.saturating_add(seeds);
    let end = match (subject, flaw.as_deref()) {
        (_, None) => explore(subject, seeds),
        (Subject::Channels, Some("all")) => simulation::find_flaws(seeds).map(|lines| lines.join("\n")),
        (Subject::Queues, Some("all")) => queues::find_flaws(seeds).map(|lines| lines.join("\n")),
        (Subject::Channels, Some(flaw)) => Flaw::from_str(flaw, false).and_then(|flaw| simulation::shrink_flaw(flaw, seeds)),
        (Subject::Queues, Some(flaw)) => queues::QueueFlaw::from_str(flaw, false).and_then(|flaw| queues::shrink_flaw(flaw, seeds)),
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

fn explore(subject: Subject, seeds: Range<u64>) -> Result<String, String> {
    let (cases, tally) = match subject {
        Subject::Channels => (simulation::replay_corpus()?, simulation::try_seeds(seeds.clone())?),
        Subject::Queues => (queues::replay_corpus()?, queues::try_seeds(seeds.clone())?),
    };
    Ok(format!("{cases} cases of the corpus hold\nseeds {} to {} hold\nruns      situation\n{tally}", seeds.start, seeds.end - 1))
}
