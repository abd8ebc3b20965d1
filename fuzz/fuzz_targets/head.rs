//! `cargo +nightly fuzz run head`

#![no_main]

#[path = "../src/head.rs"]
mod head;

libfuzzer_sys::fuzz_target!(|data: &[u8]| head::check(data));
