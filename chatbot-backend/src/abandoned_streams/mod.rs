//! Ends streams whose writer died (docs/decisions/0010-aborted-streams.md). Writing streams does not belong here; see [`crate::stream`].

mod checker;
mod tracker;

pub use checker::run;
