//! The process of the notifier.

use notifier_backend::run::run;
use notifier_backend::settings::PROGRAM;
use std::process::ExitCode;

fn main() -> ExitCode {
    shared_proto::process::start::start(&PROGRAM, run)
}
