//! Makes the settings of a service from their sources.

use super::effective::effective;
use super::layers::{Layer, Layers, collected};
use super::problem::Problems;
use crate::process::program::Program;
use crate::process::telemetry::TelemetrySettings;
use config::{Config, File, FileFormat};
use serde::de::DeserializeOwned;
use std::net::SocketAddr;

/// Settings of a service.
pub trait Settings: DeserializeOwned {
    /// Checks the values. The error names the key.
    fn check(&self) -> Result<(), String>;
    /// The address at which the service listens.
    fn address(&self) -> SocketAddr;
    /// Logs, traces and metrics.
    fn telemetry(&self) -> &TelemetrySettings;
    /// What is allowed and lets others in, or is not needed. Each text names the key. The start logs them, and `--check` prints them.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Checked settings.
pub struct Loaded<S> {
    /// The settings.
    pub settings: S,
    /// The same for people, one per line, without secrets.
    pub effective: String,
}

/// Merges all layers, and reads and checks the settings.
pub fn load<S: Settings>(program: &Program, layers: &Layers<'_>) -> Result<Loaded<S>, Problems> {
    let defaults = collected(File::from_str(program.defaults, FileFormat::Toml))?;
    let merged = layers.merge(program)?;
    let effective = effective(&merged, &defaults, program.secrets);
    let read = Config::builder().add_source(Layer(merged)).build().and_then(Config::try_deserialize);
    let settings: S = read.map_err(|error| Problems::of("settings", error.to_string()))?;
    settings.check().map_err(|problem| Problems::of("settings", problem))?;
    Ok(Loaded { settings, effective })
}

/// A small program for tests.
#[cfg(test)]
pub(crate) mod example {
    use super::*;
    use crate::process::program::OwnCommand;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(crate) struct Example {
        pub(crate) http: Http,
        pub(crate) telemetry: TelemetrySettings,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(crate) struct Http {
        pub(crate) address: SocketAddr,
        pub(crate) connections: u16,
        pub(crate) api_keys: String,
    }

    impl Settings for Example {
        fn check(&self) -> Result<(), String> {
            crate::process::settings::check_range("http.connections", u64::from(self.http.connections), 1, 9000)
        }

        fn address(&self) -> SocketAddr {
            self.http.address
        }

        fn telemetry(&self) -> &TelemetrySettings {
            &self.telemetry
        }
    }

    pub(crate) const PROGRAM: Program = Program {
        name: "example",
        about: "Serves as an example",
        version: "1",
        prefix: "X",
        defaults: "[http]\naddress = \"127.0.0.1:1\"\nconnections = 1\napi_keys = \"00123\"\n\
                   [telemetry]\nlog = \"info\"\nlog_format = \"text\"\notlp_endpoint = \"\"\ntrace_ratio = 1.0\n",
        secrets: &["http.api_keys"],
        address: "http.address",
        own_command: Some(OwnCommand { name: "copy", about: "Copy something" }),
    };
}

#[cfg(test)]
mod tests {
    use super::example::{Example, PROGRAM};
    use super::*;

    fn with(variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Loaded<Example>, String> {
        let owned = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>();
        let variables = Some(owned(variables).into_iter().collect());
        load(&PROGRAM, &Layers { file: None, variables, flags: &owned(flags) }).map_err(|problems| problems.to_string())
    }

    fn http(variables: &[(&str, &str)], flags: &[(&str, &str)]) -> super::example::Http {
        with(variables, flags).unwrap_or_else(|problem| panic!("{problem}")).settings.http
    }

    #[test]
    fn flags_precede_the_environment_which_precedes_the_defaults() {
        assert_eq!(http(&[], &[]).connections, 1);
        assert_eq!(http(&[("X__HTTP__CONNECTIONS", "2")], &[]).connections, 2);
        assert_eq!(http(&[("X__HTTP__CONNECTIONS", "")], &[]).connections, 1, "an empty variable is not set");
        let all = http(&[("X__HTTP__CONNECTIONS", "2"), ("X__HTTP__API_KEYS", "00456")], &[("http.connections", "3")]);
        assert_eq!((all.connections, all.api_keys.as_str()), (3, "00456"), "a string is not converted to a number");
    }

    #[test]
    fn an_error_names_the_key() {
        for (variables, flags, named) in [
            (vec![("X__HTTP__PROT", "2")], vec![], "prot"),
            (vec![("X__HTTP__CONNECTIONS", "many")], vec![], "http.connections"),
            (vec![], vec![("http.connections", "9001")], "http.connections = 9001"),
            (vec![], vec![("nothing.here", "1")], "nothing"),
            (vec![], vec![("a[", "1")], "a["),
        ] {
            let error = with(&variables, &flags).err().expect(named);
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn the_effective_settings_have_no_secret_and_the_notation_of_the_defaults() {
        let lines = |variables: &[(&str, &str)]| with(variables, &[]).unwrap_or_else(|problem| panic!("{problem}")).effective;
        let shown = lines(&[("X__HTTP__API_KEYS", "hush"), ("X__HTTP__CONNECTIONS", "7"), ("X__TELEMETRY__LOG", "debug")]);
        let expected = [
            "http.address = \"127.0.0.1:1\"",
            "http.api_keys = (a secret)",
            "http.connections = 7",
            "telemetry.log = \"debug\"",
            "telemetry.log_format = \"text\"",
            "telemetry.otlp_endpoint = \"\"",
            "telemetry.trace_ratio = 1",
        ];
        assert_eq!(shown, expected.join("\n"));
    }
}
