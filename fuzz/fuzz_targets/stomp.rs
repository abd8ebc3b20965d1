//! `cargo +nightly fuzz run stomp`

#![no_main]

#[path = "../src/stomp.rs"]
mod stomp;

libfuzzer_sys::fuzz_target!(|data: &[u8]| stomp::check(data));
