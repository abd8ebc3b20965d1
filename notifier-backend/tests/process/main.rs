//! Tests of the real process.

mod lifetime;
mod listener;
