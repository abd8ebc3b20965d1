//! The decisions of the owner of a partition: what it reads, delivers, delivers again, acknowledges, and what becomes a dead letter.
//!
//! - [`backlog`]: the entries that the owner knows; [`reading`], [`reports`], [`dead_letters`]: more of what it does with them
//! - [`state`]: the parts of a backlog
//! - [`interface`]: what goes in and out; [`limits`]: settings; [`count`]: what is counted

mod backlog;
mod count;
mod dead_letters;
mod interface;
mod limits;
mod reading;
mod reports;
mod state;
#[cfg(test)]
mod tests;

pub use backlog::{Backlog, Handout};
pub use count::OwnerCount;
pub use interface::{Content, Read, ReadEntry, Report, Ticket};
pub use limits::OwnerLimits;
