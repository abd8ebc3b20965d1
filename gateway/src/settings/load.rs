//! Loads settings: merges the layers, reads the values and checks them.

use super::{check, program::PROGRAM, reader::Reader, settings::Settings};
use config::{Map, Value};
use shared_proto::process::settings::{Layers, Problems, layers::merge_text};

impl Settings {
    /// Merges and reads all layers, and checks the settings. Reports all problems at once.
    pub fn load(layers: &Layers<'_>) -> Result<Self, Problems> {
        Self::from_merged(layers.merge(&PROGRAM)?)
    }

    /// Reads and checks the defaults, overridden by `toml`.
    pub fn from_toml(toml: &str) -> Result<Self, Problems> {
        Self::from_merged(merge_text(&PROGRAM, toml)?)
    }

    /// Settings that are allowed and will cause faults, each with its cure.
    pub fn warnings(&self) -> Problems {
        check::warnings(self)
    }

    fn from_merged(table: Map<String, Value>) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut reader = Reader::new(table, &mut problems);
        let settings = Self::read(&mut reader);
        reader.finish(Self::KEYS);
        let Some(mut settings) = settings else { return Err(problems) };
        check::check(&settings, &mut problems);
        if settings.node.name.is_empty() {
            settings.node.name = check::random_node_name();
        }
        problems.into_result(settings)
    }
}
