//! The process of the chat bot.

use chatbot_backend::run::run;
use chatbot_backend::settings::PROGRAM;
use std::process::ExitCode;

fn main() -> ExitCode {
    shared_proto::process::start::start(&PROGRAM, run)
}
