//! The sources of settings: the built-in defaults, a file, variables and flags.

use super::problem::Problems;
use config::{Config, ConfigError, Environment, File, FileFormat, Map, Source as _, Value};
use std::{collections::HashMap, path::Path};

/// The default file, with every setting and its documentation.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The sources that override the defaults, in ascending priority.
#[derive(Clone, Debug, Default)]
pub struct Layers<'a> {
    /// A TOML file.
    pub file: Option<&'a Path>,
    /// Variables, of which only `GATEWAY__SECTION__KEY` count. None: the variables of the process.
    pub variables: Option<HashMap<String, String>>,
    /// Flags: a key such as `connection.ping_interval`, and its value.
    pub flags: &'a [(String, String)],
}

impl Layers<'_> {
    /// Merges all layers into one table.
    pub(super) fn merge(&self) -> Result<Map<String, Value>, Problems> {
        let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(path) = self.file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Problems::of(path.display().to_string(), format!("cannot be read: {error}")))?;
            check_syntax(&text, &path.display().to_string())?;
            builder = builder.add_source(File::from(path).format(FileFormat::Toml));
        }
        // Without type detection, which would turn the secret "00123" into 123. Every reader accepts text.
        builder = builder.add_source(
            Environment::with_prefix("GATEWAY")
                .prefix_separator("__")
                .separator("__")
                .ignore_empty(true)
                .source(self.variables.clone().map(|variables| variables.into_iter().collect())),
        );
        for (key, value) in self.flags {
            builder = builder
                .set_override(key, value.as_str())
                .map_err(|_| Problems::of(key, "is no valid key; expected one such as connection.ping_interval"))?;
        }
        builder.build().and_then(|config| config.collect()).map_err(|error| Problems::of("settings", without_quotes(&error)))
    }
}

/// Merges the defaults and one text in TOML.
pub(super) fn merge_text(text: &str) -> Result<Map<String, Value>, Problems> {
    check_syntax(text, "settings")?;
    Config::builder()
        .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
        .add_source(File::from_str(text, FileFormat::Toml))
        .build()
        .and_then(|config| config.collect())
        .map_err(|error| Problems::of("settings", without_quotes(&error)))
}

/// Reports the place of a syntax error, but not the line, which may contain a secret.
fn check_syntax(text: &str, name: &str) -> Result<(), Problems> {
    let source = File::from_str(text, FileFormat::Toml);
    source.collect().map(drop).map_err(|error| Problems::of(name, format!("is not valid TOML: {}", without_quotes(&error))))
}

/// The message without the lines that it quotes.
fn without_quotes(error: &ConfigError) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains('|')).collect();
    lines.join(": ")
}
