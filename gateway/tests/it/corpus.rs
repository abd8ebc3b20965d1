//! Replays the inputs that the fuzz target has found.

#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/invariant.rs"]
mod invariant;

use std::{fs, path::Path};

#[test]
fn the_corpus_keeps_the_invariant() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/decoder");
    let mut replayed = 0;
    for entry in fs::read_dir(&corpus).expect("the corpus is in the repository") {
        invariant::check(&fs::read(entry.expect("readable").path()).expect("readable"));
        replayed += 1;
    }
    assert!(replayed >= 12, "{replayed} files in {}", corpus.display());
}
