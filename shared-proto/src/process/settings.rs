//! Reads settings. Later sources have precedence: documented defaults, a file, the environment, the command line.

use clap::{Arg, ArgAction, Command};
use config::{Config, Environment, File, FileFormat};
use serde::de::DeserializeOwned;
use std::ffi::OsString;

/// The properties of one program.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Name of the binary.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Version for `--version`.
    pub version: &'static str,
    /// Prefix of its environment variables, such as `CHATBOT` in `CHATBOT__HTTP__ADDRESS`.
    pub prefix: &'static str,
    /// The documented default settings in TOML. They contain every setting.
    pub defaults: &'static str,
}

/// Settings of a program.
pub trait Settings: DeserializeOwned {
    /// Checks the values. The error names the key.
    fn check(&self) -> Result<(), String>;
}

/// The action that the command line requests.
#[derive(Debug)]
pub enum Invocation<S> {
    /// Run with these settings.
    Run(S),
    /// Print this text and exit.
    Print(String),
}

/// The settings or the command line are invalid. The text names the key or the flag.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

/// Reads the settings from command line, file and environment.
pub fn load<S: Settings>(program: &Program, args: impl IntoIterator<Item = OsString>) -> Result<Invocation<S>, SettingsError> {
    let matches = match command(program).try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Invocation::Print(error.to_string())),
        Err(error) => return Err(SettingsError(error.to_string())),
    };
    if matches.get_flag("print-defaults") {
        return Ok(Invocation::Print(program.defaults.to_owned()));
    }
    let environment = Environment::with_prefix(program.prefix).prefix_separator("__").separator("__");
    let overrides = matches.get_many::<String>("set").into_iter().flatten();
    let file = matches.get_one::<String>("config").map(String::as_str);
    let settings: S = read(program, file, environment, overrides)?;
    if matches.get_flag("check") { Ok(Invocation::Print("the settings are valid\n".to_owned())) } else { Ok(Invocation::Run(settings)) }
}

fn command(program: &Program) -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    Command::new(program.name)
        .about(program.about)
        .version(program.version)
        .arg(Arg::new("config").long("config").value_name("FILE").help("Settings that differ from the defaults, in TOML"))
        .arg(Arg::new("set").long("set").value_name("KEY=VALUE").action(ArgAction::Append).help("One setting, as section.key=value"))
        .arg(flag("check", "Check the settings and exit"))
        .arg(flag("print-defaults", "Print the documented default settings and exit"))
}

fn read<'a, S: Settings>(
    program: &Program,
    file: Option<&str>,
    environment: Environment,
    overrides: impl Iterator<Item = &'a String>,
) -> Result<S, SettingsError> {
    let bad = |error: config::ConfigError| SettingsError(error.to_string());
    let mut builder = Config::builder().add_source(File::from_str(program.defaults, FileFormat::Toml));
    if let Some(path) = file {
        builder = builder.add_source(File::new(path, FileFormat::Toml));
    }
    builder = builder.add_source(environment);
    for pair in overrides {
        let (key, value) = pair.split_once('=').ok_or_else(|| SettingsError(format!("--set {pair}: expected KEY=VALUE")))?;
        builder = builder.set_override(key, value).map_err(bad)?;
    }
    let settings: S = builder.build().and_then(Config::try_deserialize).map_err(bad)?;
    settings.check().map_err(SettingsError)?;
    Ok(settings)
}

/// Splits a comma-separated list, the form of lists in environment variables and flags.
pub fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Checks that a number is within its range. The error names the key.
pub fn check_range(key: &str, value: u64, min: u64, max: u64) -> Result<(), String> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(format!("{key} = {value}: must be {min} to {max}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::HashMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        http: Http,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Http {
        port: u16,
        name: String,
    }

    impl Settings for Example {
        fn check(&self) -> Result<(), String> {
            check_range("http.port", u64::from(self.http.port), 1, 9000)
        }
    }

    const PROGRAM: Program = Program { name: "x", about: "", version: "1", prefix: "X", defaults: "[http]\nport = 1\nname = \"00123\"\n" };

    fn with(variables: &[(&str, &str)], overrides: &[&str]) -> Result<Example, SettingsError> {
        let variables: HashMap<String, String> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let environment = Environment::with_prefix("X").prefix_separator("__").separator("__").source(Some(variables));
        let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        read(&PROGRAM, None, environment, overrides.iter())
    }

    #[test]
    fn flags_precede_the_environment_which_precedes_the_defaults() {
        assert_eq!(with(&[], &[]).expect("defaults").http.port, 1);
        assert_eq!(with(&[("X__HTTP__PORT", "2")], &[]).expect("environment").http.port, 2);
        let all = with(&[("X__HTTP__PORT", "2"), ("X__HTTP__NAME", "00456")], &["http.port=3"]).expect("flags").http;
        assert_eq!((all.port, all.name.as_str()), (3, "00456"), "a string is not converted to a number");
    }

    #[test]
    fn an_error_names_the_key_or_the_flag() {
        for (variables, overrides, named) in [
            (vec![("X__HTTP__PROT", "2")], vec![], "prot"),
            (vec![("X__HTTP__PORT", "many")], vec![], "port"),
            (vec![], vec!["http.port=9001"], "http.port = 9001"),
            (vec![], vec!["http.port"], "KEY=VALUE"),
            (vec![], vec!["nothing.here=1"], "nothing"),
        ] {
            let error = with(&variables, &overrides).expect_err(named).to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn the_command_line_selects_the_action() {
        let load = |args: &[&str]| load::<Example>(&PROGRAM, std::iter::once("x").chain(args.iter().copied()).map(OsString::from));
        assert!(matches!(load(&["--print-defaults"]), Ok(Invocation::Print(text)) if text == PROGRAM.defaults));
        assert!(matches!(load(&["--version"]), Ok(Invocation::Print(_))));
        assert!(matches!(load(&["--check"]), Ok(Invocation::Print(_))));
        assert!(matches!(load(&["--set", "http.port=7"]), Ok(Invocation::Run(example)) if example.http.port == 7));
        for bad in [vec!["--nonsense"], vec!["--config", "/nowhere/at/all.toml"]] {
            assert!(load(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lists_are_split_at_commas() {
        assert_eq!(list(" a, b ,,c"), ["a", "b", "c"]);
        assert!(list("").is_empty());
    }
}
