//! Where settings come from: the built-in defaults, then a file, then variables, then flags.

use super::problem::Problems;
use config::{Config, ConfigError, Environment, File, FileFormat, Map, Source as _, Value};
use std::{collections::HashMap, path::Path};

/// The documented defaults; every setting is in it.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The sources above the defaults, the strongest last.
#[derive(Clone, Debug, Default)]
pub struct Layers<'a> {
    /// A TOML file.
    pub file: Option<&'a Path>,
    /// Variables, of which those named `GATEWAY__SECTION__KEY` count. None: those of the process.
    pub variables: Option<HashMap<String, String>>,
    /// From flags, such as `connection.ping_interval` and `10s`.
    pub flags: &'a [(String, String)],
}

impl Layers<'_> {
    /// All layers as one table.
    pub(super) fn merge(&self) -> Result<Map<String, Value>, Problems> {
        let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(path) = self.file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Problems::of(path.display().to_string(), format!("cannot be read: {error}")))?;
            check_syntax(&text, &path.display().to_string())?;
            builder = builder.add_source(File::from(path).format(FileFormat::Toml));
        }
        // Without guessing of types, which would turn the secret "00123" into 123; every reader takes text.
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
                .map_err(|_| Problems::of(key, "is not a key such as connection.ping_interval"))?;
        }
        builder.build().and_then(|config| config.collect()).map_err(|error| Problems::of("settings", outline(&error)))
    }
}

/// The defaults and one more layer of TOML.
pub(super) fn merge_text(text: &str) -> Result<Map<String, Value>, Problems> {
    check_syntax(text, "settings")?;
    Config::builder()
        .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
        .add_source(File::from_str(text, FileFormat::Toml))
        .build()
        .and_then(|config| config.collect())
        .map_err(|error| Problems::of("settings", outline(&error)))
}

/// Tells the place of a syntax error without the line itself, which may hold a secret.
fn check_syntax(text: &str, name: &str) -> Result<(), Problems> {
    let source = File::from_str(text, FileFormat::Toml);
    source.collect().map(drop).map_err(|error| Problems::of(name, format!("is not valid TOML: {}", outline(&error))))
}

/// The error without the lines of the file that it quotes.
fn outline(error: &ConfigError) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains('|')).collect();
    lines.join(": ")
}
