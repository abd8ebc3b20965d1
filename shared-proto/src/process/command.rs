//! The command line of a service.

use super::manual::{Shell, called, completions, page};
use super::program::Program;
use super::settings::load::{self, Settings};
use super::settings::{Layers, Problems, pair};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;

/// The action that the command line requests.
#[derive(Debug)]
pub enum Invocation<S> {
    /// Run with these settings.
    Run(S),
    /// Ask the process with these settings whether it is ready.
    Health(S),
    /// Carry out the program's own command on this file, and exit.
    Own(S, PathBuf),
    /// Print this text and exit.
    Print(String),
}

/// The settings or the command line are invalid. The text names the key or the flag.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line.
    #[error("{0}")]
    CommandLine(#[from] clap::Error),
    /// The settings.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// The manual page.
    #[error("{0}")]
    Page(#[from] std::io::Error),
}

/// Reads the command line, and the settings that it names.
pub fn load<S: Settings>(program: &Program, args: impl IntoIterator<Item = OsString>) -> Result<Invocation<S>, CommandError> {
    let args: Vec<_> = args.into_iter().collect();
    let name = called(program, args.first().map(OsString::as_os_str));
    let matches = match command(program).try_get_matches_from(args) {
        Err(error) if !error.use_stderr() => return Ok(Invocation::Print(error.to_string())),
        matches => matches?,
    };
    match matches.subcommand() {
        Some(("health", matches)) => return Ok(Invocation::Health(settings(program, matches)?.settings)),
        Some(("completions", matches)) => {
            let shell = matches.get_one("shell").copied().unwrap_or(Shell::Bash);
            return Ok(Invocation::Print(completions(shell, command(program), &name)));
        }
        Some((_, matches)) if matches.try_contains_id("file").unwrap_or_default() => {
            let file = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
            return Ok(Invocation::Own(settings(program, matches)?.settings, file));
        }
        Some(_) => return Ok(Invocation::Print(page(program, command(program), &name)?)),
        None => {}
    }
    if matches.get_flag("print-defaults") {
        return Ok(Invocation::Print(program.defaults.to_owned()));
    }
    let loaded = settings(program, &matches)?;
    if !matches.get_flag("check") {
        return Ok(Invocation::Run(loaded.settings));
    }
    loaded.settings.warnings().iter().for_each(|warning| eprintln!("{}: warning: {warning}", program.name));
    Ok(Invocation::Print(loaded.effective + "\n"))
}

fn settings<S: Settings>(program: &Program, matches: &ArgMatches) -> Result<load::Loaded<S>, Problems> {
    let flags: Vec<(String, String)> = matches.get_many("set").into_iter().flatten().cloned().collect();
    let file = matches.get_one("config").map(PathBuf::as_path);
    load::load(program, &Layers { file, variables: None, flags: &flags })
}

fn command(program: &Program) -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    let shell = Arg::new("shell")
        .value_name("SHELL")
        .help("bash, zsh or fish")
        .hide_possible_values(true)
        .required(true)
        .value_parser(value_parser!(Shell));
    let file = Arg::new("file").value_name("FILE").required(true).value_parser(value_parser!(PathBuf));
    let health = "Ask the program on this machine whether it is ready, within 2 s; exit with 0 or 1";
    Command::new(program.name)
        .about(program.about)
        .version(program.version)
        .args_conflicts_with_subcommands(true)
        .args(sources())
        .arg(flag("check", "Check the settings, print them without secrets, and end"))
        .arg(flag("print-defaults", "Print the documented default settings and end").conflicts_with("check"))
        .subcommand(Command::new("health").about(health).args(sources()))
        .subcommands(program.own_command.iter().map(|own| Command::new(own.name).about(own.about).arg(file.clone()).args(sources())))
        .subcommand(Command::new("completions").about("Print completions for a shell").arg(shell))
        .subcommand(Command::new("man").about("Print the manual page in roff").hide(true))
}

/// The sources of settings besides variables.
fn sources() -> [Arg; 2] {
    let file = Arg::new("config").long("config").value_name("FILE").help("A TOML file with settings").value_parser(value_parser!(PathBuf));
    let flag = Arg::new("set").long("set").value_name("KEY=VALUE").action(ArgAction::Append).value_parser(pair);
    [file, flag.help("One setting, such as http.address=127.0.0.1:9000; may be repeated")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::settings::load::example::{Example, PROGRAM};
    use std::path::Path;

    #[test]
    fn the_command_line_is_consistent() {
        command(&PROGRAM).debug_assert();
    }

    #[test]
    fn the_command_line_selects_the_action() {
        let load = |args: &[&str]| load::<Example>(&PROGRAM, std::iter::once("x").chain(args.iter().copied()).map(OsString::from));
        assert!(matches!(load(&["--print-defaults"]), Ok(Invocation::Print(text)) if text == PROGRAM.defaults));
        assert!(matches!(load(&["--version"]), Ok(Invocation::Print(_))));
        assert!(matches!(load(&["--check"]), Ok(Invocation::Print(text)) if text.contains("http.connections = 1\n")));
        assert!(matches!(load(&["--set", "http.connections=7"]), Ok(Invocation::Run(example)) if example.http.connections == 7));
        assert!(matches!(load(&["completions", "fish"]), Ok(Invocation::Print(text)) if text.contains("complete -c x ")));
        assert!(matches!(load(&["man"]), Ok(Invocation::Print(text)) if text.contains(".SS health\n") && !text.contains(".SS man")));
        let health = load(&["health", "--set", "http.address=127.0.0.1:7"]);
        assert!(matches!(health, Ok(Invocation::Health(example)) if example.http.address.port() == 7));
        let own = load(&["copy", "to.txt", "--set", "http.connections=7"]);
        assert!(matches!(own, Ok(Invocation::Own(example, file)) if example.http.connections == 7 && file == Path::new("to.txt")));
        for bad in [
            &["copy"][..],
            &["--nonsense"],
            &["--config", "/nowhere/at/all.toml"],
            &["--set", "http.connections"],
            &["--check", "--print-defaults"],
            &["health", "--check"],
            &["health", "--set", "http.connections=0"],
            &["completions"],
            &["completions", "elvish"],
        ] {
            assert!(load(bad).is_err(), "{bad:?}");
        }
    }
}
