//! Where the API keys come from, so that they can be read again while the gateway runs.

use super::{check, program::PROGRAM, reader::Reader, sections::ApiKey, settings::Settings};
use shared_proto::process::settings::{LayerTables, Layers, Problems};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The sources of the API keys: what the layers of settings say about them, and the files that they name.
pub struct KeySources {
    file: Option<PathBuf>,
    variables: Option<HashMap<String, String>>,
    flags: Vec<(String, String)>,
    tables: LayerTables,
}

impl KeySources {
    /// Finds the keys in these layers.
    pub fn new(layers: &Layers<'_>) -> Result<Self, Problems> {
        Ok(Self {
            file: layers.file.map(Path::to_owned),
            variables: layers.variables.clone(),
            flags: layers.flags.to_vec(),
            tables: layers.read(&PROGRAM)?.only(ApiKey::LIST),
        })
    }

    /// Reads the file of settings again. If it cannot be read, what it said earlier counts.
    pub fn read_again(&mut self) -> Result<(), Problems> {
        let layers = Layers { file: self.file.as_deref(), variables: self.variables.clone(), flags: &self.flags };
        self.tables = layers.read(&PROGRAM)?.only(ApiKey::LIST);
        Ok(())
    }

    /// The files that have keys, or name the files that have them.
    pub fn files(&self) -> Vec<String> {
        let settings = self.file.as_ref().map(|file| file.display().to_string());
        settings.into_iter().chain(self.tables.files()).collect()
    }

    /// Reads the files of keys, and puts all keys into the settings. Checks them against the other settings, as a start does.
    pub fn read_into(&self, settings: &mut Settings) -> Result<(), Problems> {
        let mut problems = Problems::default();
        let mut reader = Reader::new(self.tables.merge(&PROGRAM)?, &mut problems);
        let Some(keys) = ApiKey::read_all(&mut reader) else { return Err(problems) };
        settings.api_keys = keys;
        check::key_certificates(settings, &mut problems);
        problems.into_result(())
    }
}
