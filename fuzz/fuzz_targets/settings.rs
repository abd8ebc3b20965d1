//! `cargo +nightly fuzz run settings`

#![no_main]

#[path = "../src/settings.rs"]
mod settings;

libfuzzer_sys::fuzz_target!(|data: &[u8]| settings::check(data));
