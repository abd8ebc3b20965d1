//! From one file's syntax to the names that it declares and the paths that it writes.

mod collector;
mod declare;
mod walk;

pub(super) use collector::Declared;
pub(super) use walk::file;
