//! The gateway's process: settings, telemetry, run, exit code.

mod cli;

use clap::{CommandFactory as _, Parser as _};
use cli::{Cli, Command};
use gateway::{
    RunError,
    broker::RedisUsers,
    settings::{DEFAULTS, PROGRAM},
    telemetry::Telemetry,
};
use shared_proto::process::{manual, probe::probe};
use std::{
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

/// Returns free memory to the system; see docs/decisions/0008-mimalloc-as-allocator.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit codes of sysexits.h: invalid settings, an address in use, an internal error.
const USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;
const SOFTWARE: u8 = 70;
/// Bytes that `check-token` reads at most: more than any token.
const TOKEN_INPUT: u64 = 64 << 10;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "nothing has started yet")]
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        let _ = error.print();
        std::process::exit(if error.use_stderr() { i32::from(USAGE) } else { 0 })
    });
    match start(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("gateway: {error}");
            ExitCode::from(match error {
                RunError::Settings(_) => USAGE,
                RunError::AddressInUse { .. } => UNAVAILABLE,
                RunError::Internal(_) => SOFTWARE,
            })
        }
    }
}

fn start(cli: Cli) -> Result<ExitCode, RunError> {
    match cli.command {
        Some(Command::Token(request)) => {
            let settings = request.sources.load()?;
            return print(&request.sign(&settings)?);
        }
        Some(Command::CheckToken(sources)) => {
            let settings = sources.load()?;
            let mut text = String::new();
            io::stdin().take(TOKEN_INPUT).read_to_string(&mut text)?;
            let report = cli::check_token(&settings, &text)?;
            print(&report.to_string())?;
            return Ok(ExitCode::from(u8::from(report.verdict.is_err())));
        }
        Some(Command::NewKey { name }) => return print(&cli::new_key(&name)?),
        Some(Command::RedisAcl(sources)) => return print(&RedisUsers::try_from(&sources.load()?)?.to_string()),
        Some(Command::Health(sources)) => {
            let internal = sources.load()?.internal;
            let answer = probe(&PROGRAM, internal.address, gateway::probe_tls(&internal)?);
            print(&answer.to_string())?;
            return Ok(ExitCode::from(u8::from(!answer.is_ready())));
        }
        Some(Command::Completions { shell }) => return print(manual::completions(shell, Cli::command(), &called()).trim_end()),
        Some(Command::Man) => return print(manual::page(&PROGRAM, Cli::command(), &called())?.trim_end()),
        None => {}
    }
    if cli.print_defaults {
        return print(DEFAULTS.trim_end());
    }
    let settings = cli.sources.load()?;
    if cli.check {
        gateway::check(&settings)?;
        gateway::warnings(&settings).iter().for_each(|warning| eprintln!("gateway: warning: {warning}"));
        return print(&settings.effective());
    }
    let (keys, telemetry) = (cli.sources.keys()?, Telemetry::start(&settings)?);
    let ended = gateway::run(&settings, keys, &telemetry);
    telemetry.shutdown();
    ended.map(|()| ExitCode::SUCCESS)
}

/// The name under which this program was called.
fn called() -> String {
    manual::called(&PROGRAM, std::env::args_os().next().as_deref())
}

/// Prints a text and a line end. The reader may close the pipe early, like `head`.
fn print(text: &str) -> Result<ExitCode, RunError> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
