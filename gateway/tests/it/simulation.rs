//! What keeps publications from being lost, on many seeds. `gateway/src/simulation` explains it.

use gateway::testing::simulation::{find_flaws, replay_corpus, try_seeds};
use std::ops::Range;

/// The standard seeds. `just simulate` tries others.
const SEEDS: Range<u64> = 0..3000;

#[test]
fn the_guarantees_hold_on_the_corpus_and_on_every_seed() {
    if let Err(wrong) = replay_corpus() {
        panic!("{wrong}");
    }
    let tally = try_seeds(SEEDS).unwrap_or_else(|report| panic!("{report}"));
    println!("{tally}");
    let unreached = tally.unreached();
    assert!(unreached.is_empty(), "no seed reaches: {}", unreached.join("; "));
}

#[test]
fn every_flaw_is_found_and_shrunk() {
    match find_flaws(SEEDS) {
        Ok(lines) => println!("{}", lines.join("\n")),
        Err(why) => panic!("{why}"),
    }
}
