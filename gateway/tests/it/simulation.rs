//! What keeps publications and queued events from being lost, on many seeds. `gateway/src/simulation` explains it.

use gateway::testing::simulation::{self, Tally, queues};
use std::ops::Range;

/// The standard seeds. `just simulate` tries others.
const SEEDS: Range<u64> = 0..3000;

fn check(corpus: Result<usize, String>, seeds: Result<Tally, String>) {
    if let Err(wrong) = corpus {
        panic!("{wrong}");
    }
    let tally = seeds.unwrap_or_else(|report| panic!("{report}"));
    println!("{tally}");
    let unreached = tally.unreached();
    assert!(unreached.is_empty(), "no seed reaches: {}", unreached.join("; "));
}

fn show(found: Result<Vec<String>, String>) {
    match found {
        Ok(lines) => println!("{}", lines.join("\n")),
        Err(why) => panic!("{why}"),
    }
}

#[test]
fn the_guarantees_hold_on_the_corpus_and_on_every_seed() {
    check(simulation::replay_corpus(), simulation::try_seeds(SEEDS));
}

#[test]
fn every_flaw_is_found_and_shrunk() {
    show(simulation::find_flaws(SEEDS));
}

#[test]
fn the_guarantees_of_queues_hold_on_the_corpus_and_on_every_seed() {
    check(queues::replay_corpus(), queues::try_seeds(SEEDS));
}

#[test]
fn every_flaw_of_queues_is_found_and_shrunk() {
    show(queues::find_flaws(SEEDS));
}
