//! `cargo +nightly fuzz run forwarded`

#![no_main]

#[path = "../src/forwarded.rs"]
mod forwarded;

libfuzzer_sys::fuzz_target!(|data: &[u8]| forwarded::check(data));
