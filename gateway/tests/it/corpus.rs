//! Replays the inputs that the fuzz targets have found.

#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/codec.rs"]
mod codec;
#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/decoder.rs"]
mod decoder;
#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/forwarded.rs"]
mod forwarded;
#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/head.rs"]
mod head;
#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/messages.rs"]
mod messages;
#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/proxy_header.rs"]
mod proxy_header;
#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/settings.rs"]
mod settings;
#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/stomp.rs"]
mod stomp;
#[expect(unreachable_pub, reason = "shared with the fuzz target")]
#[path = "../../../fuzz/src/tokens.rs"]
mod tokens;

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

#[test]
fn the_adapter_of_heads_keeps_its_invariant_on_its_corpus() {
    replay("head", head::check, 20);
}

#[test]
fn the_headers_of_proxies_keep_their_invariant_on_their_corpus() {
    replay("proxy_header", proxy_header::check, 20);
}

#[test]
fn the_addresses_that_proxies_tell_keep_their_invariant_on_their_corpus() {
    replay("forwarded", forwarded::check, 20);
}

#[test]
fn tokens_and_keys_keep_their_invariant_on_their_corpus() {
    replay("tokens", tokens::check, 20);
}

#[test]
fn the_messages_of_services_keep_their_invariant_on_their_corpus() {
    replay("messages", messages::check, 20);
}

#[test]
fn settings_keep_their_invariant_on_their_corpus() {
    replay("settings", settings::check, 20);
}
