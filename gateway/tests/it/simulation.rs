//! What keeps publications from being lost, on many seeds. `gateway/src/simulation` explains it.

use gateway::testing::simulation::{find_flaws, try_seeds};

/// Default number of seeds.
const RUNS: u64 = 3000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn runs() -> u64 {
    setting("SIMULATION_RUNS").unwrap_or(RUNS)
}

#[test]
fn the_guarantees_hold_on_every_seed() {
    let first = setting("SIMULATION_SEED").unwrap_or(0);
    if let Err(report) = try_seeds(first..first + runs()) {
        panic!("{report}");
    }
}

#[test]
fn every_flaw_is_found_and_shortened() {
    match find_flaws(0..runs()) {
        Ok(lines) => println!("{}", lines.join("\n")),
        Err(why) => panic!("{why}"),
    }
}
