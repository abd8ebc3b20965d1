//! The rules of the workspace: each is held here, and shown to notice what it forbids.

mod circles;
mod citations;
mod iteration;
mod layers;
mod planted;
mod reading;
mod sizes;
mod words;
mod workspace;
