//! `cargo +nightly fuzz run decoder`

#![no_main]

#[path = "../src/decoder.rs"]
mod decoder;

libfuzzer_sys::fuzz_target!(|data: &[u8]| decoder::check(data));
