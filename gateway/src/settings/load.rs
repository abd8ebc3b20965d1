//! From the layers to checked settings.

use super::{
    check,
    layers::{self, Layers},
    problem::Problems,
    reader::Reader,
    settings::Settings,
};
use config::{Map, Value};

impl Settings {
    /// Reads all layers. Every problem that can be found is found at once.
    pub fn load(layers: &Layers<'_>) -> Result<Self, Problems> {
        Self::from_merged(layers.merge()?)
    }

    /// The defaults with `toml` above them.
    pub fn from_toml(toml: &str) -> Result<Self, Problems> {
        Self::from_merged(layers::merge_text(toml)?)
    }

    fn from_merged(table: Map<String, Value>) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut reader = Reader::new(table, &mut problems);
        let settings = Self::read(&mut reader);
        reader.finish(Self::KEYS);
        let Some(mut settings) = settings else { return Err(problems) };
        check::check(&settings, &mut problems);
        if settings.node.name.is_empty() {
            settings.node.name = check::made_up_name();
        }
        problems.none_or(settings)
    }
}
