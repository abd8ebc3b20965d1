//! The process of the notifier.

use notifier_backend::run::{back_up, run};
use notifier_backend::settings::PROGRAM;
use std::process::ExitCode;

fn main() -> ExitCode {
    shared_proto::process::start::start_with(&PROGRAM, back_up, run)
}
