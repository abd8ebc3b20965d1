//! The parts of a backlog.
//!
//! - [`chains`], [`chain`]: entries by key; [`progress`]: how far the owner has read; [`dead_letter_moves`]: what is known of the dead letters
//! - [`absence`]: pauses while nobody takes deliveries; [`store_clock`]: the time of the store

mod absence;
mod chain;
mod chains;
mod dead_letter_moves;
mod progress;
mod store_clock;

pub(super) use absence::Absence;
pub(super) use chain::{Cause, Chain, Head, Loaded, Loads, Refused};
pub(super) use chains::Chains;
pub(super) use dead_letter_moves::{DeadLetterMoves, Full};
pub(super) use progress::{Phase, Reading, Stopped, UnderWay};
pub(super) use store_clock::StoreClock;
