//! The result type of all scenarios.

use std::error::Error;

/// `main` prints the error, so its text is for people.
pub(crate) type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;
