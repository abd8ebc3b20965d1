//! Collects the names that one file declares and the paths that it uses, from its syntax.

mod collector;
mod declare;
mod walk;

pub(super) use collector::Declared;
pub(super) use walk::file;
