//! `cargo +nightly fuzz run decoder`

#![no_main]

#[path = "../src/invariant.rs"]
mod invariant;

libfuzzer_sys::fuzz_target!(|data: &[u8]| invariant::check(data));
