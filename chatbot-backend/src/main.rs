//! The process of the chat bot: settings, telemetry, run, exit code.

use chatbot_backend::run::run;
use chatbot_backend::settings::{PROGRAM, Settings};
use shared_proto::process::settings::{Invocation, load};
use shared_proto::process::telemetry::Telemetry;
use shared_proto::process::{EXIT_UNAVAILABLE, EXIT_USAGE};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let settings: Settings = match load(&PROGRAM, std::env::args_os()) {
        Ok(Invocation::Run(settings)) => settings,
        Ok(Invocation::Print(text)) => {
            // An error means that the reader has closed the pipe.
            let _closed = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(EXIT_USAGE, &error),
    };
    let telemetry = match Telemetry::start(PROGRAM.name, &settings.telemetry) {
        Ok(telemetry) => telemetry,
        Err(error) => return fail(EXIT_USAGE, &error),
    };
    let outcome = actix_web::rt::System::new().block_on(run(settings, &telemetry));
    telemetry.finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(EXIT_UNAVAILABLE, &error),
    }
}

fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{}: {error}", PROGRAM.name);
    ExitCode::from(code)
}
