//! The process of the notifier: settings, telemetry, run, exit code.

use notifier_backend::run::run;
use notifier_backend::settings::{PROGRAM, Settings};
use shared_proto::process::settings::{Asked, load};
use shared_proto::process::telemetry::Telemetry;
use shared_proto::process::{BAD_SETTINGS, UNAVAILABLE};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let settings: Settings = match load(&PROGRAM, std::env::args_os()) {
        Ok(Asked::Run(settings)) => settings,
        Ok(Asked::Print(text)) => {
            // An error means that the reader has closed the pipe.
            let _closed = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(BAD_SETTINGS, &error),
    };
    let telemetry = match Telemetry::begin(PROGRAM.name, &settings.telemetry) {
        Ok(telemetry) => telemetry,
        Err(error) => return fail(BAD_SETTINGS, &error),
    };
    let outcome = actix_web::rt::System::new().block_on(run(settings, &telemetry));
    telemetry.finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(UNAVAILABLE, &error),
    }
}

fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{}: {error}", PROGRAM.name);
    ExitCode::from(code)
}
