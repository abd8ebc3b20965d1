//! Reads and merges the sources of settings: the built-in defaults, a file, environment variables and flags.

use super::problem::Problems;
use super::secret_files;
use crate::process::program::Program;
use config::{Config, ConfigError, Environment, File, FileFormat, Map, Source, Value};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// The sources that override the defaults, in ascending priority.
#[derive(Clone, Default)]
pub struct Layers<'a> {
    /// A TOML file.
    pub file: Option<&'a Path>,
    /// Environment variables. Only names such as `PREFIX__SECTION__KEY` are read. `None`: the variables of this process.
    pub variables: Option<HashMap<String, String>>,
    /// Flags. Each is a key such as `http.address`, and its value.
    pub flags: &'a [(String, String)],
}

/// Shows no variables and flags, which may have secrets.
impl fmt::Debug for Layers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Layers<'_> {
    /// Merges all layers into one table. Files that have secrets are replaced by their content.
    pub fn merge(&self, program: &Program) -> Result<Map<String, Value>, Problems> {
        self.read(program)?.merge(program)
    }

    /// Reads all layers, without the files that have secrets.
    pub fn read(&self, program: &Program) -> Result<LayerTables, Problems> {
        let mut layers = vec![collected(File::from_str(program.defaults, FileFormat::Toml))?];
        if let Some(path) = self.file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Problems::of(path.display().to_string(), format!("cannot be read: {error}")))?;
            check_syntax(&text, &path.display().to_string())?;
            layers.push(collected(File::from(path).format(FileFormat::Toml))?);
        }
        // Type detection stays off, because it would turn the secret "00123" into 123. Every type of setting reads text.
        layers.push(collected(
            Environment::with_prefix(program.prefix)
                .prefix_separator("__")
                .separator("__")
                .ignore_empty(true)
                .source(self.variables.clone().map(|variables| variables.into_iter().collect())),
        )?);
        let mut flags = Config::builder();
        for (key, value) in self.flags {
            flags = flags
                .set_override(key, value.as_str())
                .map_err(|_| Problems::of(key, "is not a valid key; expected a key such as section.key"))?;
        }
        layers.push(flags.build().and_then(|config| config.collect()).map_err(problem)?);
        Ok(LayerTables(layers))
    }
}

/// The table of each layer, in ascending priority. Files that have secrets are only named.
pub struct LayerTables(Vec<Map<String, Value>>);

impl LayerTables {
    /// Leaves only one key, and the key of its file.
    #[must_use]
    pub fn only(mut self, key: &str) -> Self {
        self.0.iter_mut().for_each(|layer| layer.retain(|name, _| name.strip_suffix("_file").unwrap_or(name) == key));
        self
    }

    /// The files that the layers name.
    pub fn files(&self) -> Vec<String> {
        self.0.iter().flat_map(secret_files::named).collect()
    }

    /// Merges the layers into one table. Reads the files of secrets first, so that a layer overrides a secret or its file by either of them.
    pub fn merge(&self, program: &Program) -> Result<Map<String, Value>, Problems> {
        let mut problems = Problems::default();
        let mut builder = Config::builder();
        for mut layer in self.0.iter().cloned() {
            secret_files::read_all(&mut layer, program.secrets, &mut problems);
            builder = builder.add_source(Layer(layer));
        }
        let merged = builder.build().and_then(|config| config.collect()).map_err(problem)?;
        problems.into_result(merged)
    }
}

/// Merges the defaults and one TOML text.
pub fn merge_text(program: &Program, text: &str) -> Result<Map<String, Value>, Problems> {
    check_syntax(text, "settings")?;
    let texts = [program.defaults, text];
    let layers = texts.into_iter().map(|text| collected(File::from_str(text, FileFormat::Toml))).collect::<Result<_, _>>()?;
    LayerTables(layers).merge(program)
}

/// The table of one layer, or of all.
#[derive(Clone, Debug)]
pub(super) struct Layer(pub(super) Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

pub(super) fn collected(source: impl Source + Send + Sync + 'static) -> Result<Map<String, Value>, Problems> {
    Config::builder().add_source(source).build().and_then(|config| config.collect()).map_err(problem)
}

fn problem(error: ConfigError) -> Problems {
    Problems::of("settings", without_quotes(&error))
}

/// Reports where a syntax error is. Does not quote the line, which may contain a secret.
fn check_syntax(text: &str, name: &str) -> Result<(), Problems> {
    let source = File::from_str(text, FileFormat::Toml);
    source.collect().map(drop).map_err(|error| Problems::of(name, format!("is not valid TOML: {}", without_quotes(&error))))
}

/// The error's message without the lines of the file that it quotes.
fn without_quotes(error: &ConfigError) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains('|')).collect();
    lines.join(": ")
}
