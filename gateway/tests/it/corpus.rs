//! Replays the inputs that the fuzz targets have found.

#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/codec.rs"]
mod codec;
#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/decoder.rs"]
mod decoder;
#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/stomp.rs"]
mod stomp;

use std::{fs, path::Path};

/// Passes the files of a corpus to the invariant of its target. `least`: a corpus with fewer files is not the one that was committed.
fn replay(target: &str, invariant: fn(&[u8]), least: usize) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut replayed = 0;
    for entry in fs::read_dir(&corpus).expect("the corpus is in the repository") {
        invariant(&fs::read(entry.expect("readable").path()).expect("readable"));
        replayed += 1;
    }
    assert!(replayed >= least, "{replayed} files in {}", corpus.display());
}

#[test]
fn the_decoder_keeps_its_invariant_on_its_corpus() {
    replay("decoder", decoder::check, 200);
}

#[test]
fn the_codec_keeps_its_invariant_on_its_corpus() {
    replay("codec", codec::check, 400);
}

#[test]
fn the_frames_of_stomp_keep_their_invariant_on_their_corpus() {
    replay("stomp", stomp::check, 200);
}
