//! The rules. Each checks the source and returns findings. Rules do not depend on each other.

pub mod circles;
pub mod citations;
pub mod crates;
pub mod foreign;
pub mod iteration;
pub mod layers;
mod page;
pub mod secrets;
pub mod sizes;
pub mod words;

use crate::{finding::Finding, source::Source};
use page::{ARCHITECTURE, fault};

/// The name of a rule, and the function that checks it.
pub type Rule = (&'static str, fn(&Source) -> Vec<Finding>);

/// All rules.
pub const ALL: [Rule; 9] = [
    ("circles", circles::check),
    ("layers", layers::check),
    ("foreign", foreign::check),
    ("crates", crates::check),
    ("sizes", sizes::check),
    ("words", words::check),
    ("iteration", iteration::check),
    ("citations", citations::check),
    ("secrets", secrets::check),
];
