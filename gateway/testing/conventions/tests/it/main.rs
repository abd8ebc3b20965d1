//! Checks the workspace against each rule, and tests that each rule finds what it forbids.

mod circles;
mod citations;
mod iteration;
mod layers;
mod planted;
mod reading;
mod secrets;
mod sizes;
mod words;
mod workspace;
