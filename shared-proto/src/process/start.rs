//! The process of a service: settings, telemetry, run, exit code.

use super::command::{Invocation, load};
use super::core_dumps::forbid_core_dumps;
use super::probe::probe;
use super::program::Program;
use super::settings::Settings;
use super::telemetry::Telemetry;
use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Exit code of `health` if the program is not ready, or does not answer.
const EXIT_NOT_READY: u8 = 1;
/// Exit code of a process that did not start because its settings are invalid (`EX_USAGE` of sysexits).
const EXIT_USAGE: u8 = 64;
/// Exit code of a process that ended because it could not do its work (`EX_UNAVAILABLE` of sysexits).
const EXIT_UNAVAILABLE: u8 = 69;

/// Does what the command line requests. `run` runs the service until its end.
pub fn start<S: Settings, E: Display>(program: &'static Program, run: impl AsyncFnOnce(S, &Telemetry) -> Result<(), E>) -> ExitCode {
    start_with(program, |_, _| Ok::<_, E>("there is no such command".to_owned()), run)
}

/// The same for a program with a command of its own. `own` carries it out on a file, and returns the line that it prints.
pub fn start_with<S: Settings, E: Display>(
    program: &'static Program,
    own: impl FnOnce(&S, &Path) -> Result<String, E>,
    run: impl AsyncFnOnce(S, &Telemetry) -> Result<(), E>,
) -> ExitCode {
    let settings: S = match load(program, std::env::args_os()) {
        Ok(Invocation::Run(settings)) => settings,
        Ok(Invocation::Print(text)) => return print(&text, 0),
        Ok(Invocation::Health(settings)) => {
            let answer = probe(program, settings.address(), None);
            return print(&format!("{answer}\n"), if answer.is_ready() { 0 } else { EXIT_NOT_READY });
        }
        Ok(Invocation::Own(settings, file)) => {
            return match own(&settings, &file) {
                Ok(line) => print(&format!("{line}\n"), 0),
                Err(error) => fail(program, EXIT_UNAVAILABLE, &error),
            };
        }
        Err(error) => return fail(program, EXIT_USAGE, &error),
    };
    let dumps = forbid_core_dumps();
    let telemetry = match Telemetry::start(program.name, settings.telemetry()) {
        Ok(telemetry) => telemetry,
        Err(error) => return fail(program, EXIT_USAGE, &error),
    };
    if let Err(error) = dumps {
        tracing::warn!(%error, "a crash can leave a core dump, which contains keys");
    }
    settings.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let outcome = actix_web::rt::System::new().block_on(run(settings, &telemetry));
    telemetry.finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(program, EXIT_UNAVAILABLE, &error),
    }
}

fn print(text: &str, code: u8) -> ExitCode {
    // An error means that the reader has closed the pipe.
    let _closed = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(code)
}

fn fail(program: &Program, code: u8, error: &dyn Display) -> ExitCode {
    eprintln!("{}: {error}", program.name);
    ExitCode::from(code)
}
