//! Reads settings. Later sources have precedence: documented defaults, a file, the environment, the command line.
//!
//! - [`layers`] merges the sources; [`secret_files`] reads the files that have secrets; [`problem`]: what they report
//! - [`load`] makes the settings of a service from them; [`effective`] shows them without secrets; [`values`]: their notation

mod effective;
pub mod layers;
pub mod load;
pub mod problem;
pub mod secret_files;
pub mod values;

pub use layers::{LayerTables, Layers};
pub use load::Settings;
pub use problem::{Problem, Problems};
pub use values::{check_range, list, pair};
