//! Completions for shells, and the manual page.

use super::program::Program;
use clap::{Command, ValueEnum};
use clap_mangen::Man;
use roff::{Roff, bold, roman};
use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// A shell that completes command lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

/// What the exit codes mean.
const EXIT_CODES: [(&str, &str); 5] = [
    ("0", "No error."),
    ("1", "Only of the command health: the program is not ready, or does not answer."),
    ("64", "The settings or the command line are invalid."),
    ("69", "An address is in use, or another thing that the program needs is not there."),
    ("70", "An internal error."),
];

/// The name under which the program was called, from its first argument. A package may install it under another name.
pub fn called(program: &Program, first_argument: Option<&OsStr>) -> String {
    let name = first_argument.and_then(|argument| Path::new(argument).file_name()).and_then(OsStr::to_str);
    name.unwrap_or(program.name).to_owned()
}

/// The completions for a program with this name, as a script of the shell.
pub fn completions(shell: Shell, mut command: Command, name: &str) -> String {
    let mut script = Vec::new();
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The manual page of a program with this name, in roff. It contains the subcommands.
pub fn page(program: &Program, command: Command, name: &str) -> io::Result<String> {
    let mut command = command.display_name(name).bin_name(name).disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone()).title(name.to_uppercase()).source(format!("Switchboard {}", program.version));
    let mut sections = vec![
        written(|to| man.render_title(to))?,
        written(|to| man.render_name_section(to))?,
        written(|to| man.render_synopsis_section(to))?,
        written(|to| man.render_description_section(to))?,
        written(|to| man.render_options_section(to))?,
        Roff::new().control("SH", ["COMMANDS"]).render(),
    ];
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        sections.push(Roff::new().control("SS", [command.get_name()]).text([roman(about)]).render());
        // The options belong to the heading above them.
        sections.push(written(|to| Man::new(command.clone()).render_options_section(to))?.replace(".SH OPTIONS\n", ""));
    }
    sections.push(more(program, name).render());
    // Each section begins with the same definitions.
    let definitions = Roff::new().render();
    Ok(definitions.clone() + &sections.concat().replace(&definitions, ""))
}

fn written(write: impl Fn(&mut dyn io::Write) -> io::Result<()>) -> io::Result<String> {
    let mut written = Vec::new();
    write(&mut written)?;
    Ok(String::from_utf8_lossy(&written).into_owned())
}

/// The sections that the command line does not have.
fn more(program: &Program, name: &str) -> Roff {
    let (prefix, address, secret) = (program.prefix, program.address, program.secrets.last().copied().unwrap_or_default());
    let mut roff = Roff::new();
    let mut section = |title: &str, entries: &[(&str, &str)]| {
        roff.control("SH", [title]);
        for (term, text) in entries {
            roff.control("TP", []).text([bold(*term)]).text([roman(*text)]);
        }
    };
    let key = format!(
        "A table and a name, such as {address}. {name} --print-defaults prints all settings with their meaning, as a file. A later \
         source overrides an earlier one: the defaults, the file of --config, variables, flags of --set."
    );
    let of_file = format!("For a secret, such as {secret}: a file that has it, in place of the secret itself. All sources know it.");
    section("SETTINGS", &[("KEY", &key), ("KEY_file", &of_file)]);
    let variable = format!("{prefix}__{}", address.replace('.', "__").to_uppercase());
    let variable = format!(
        "The setting KEY, in capitals and with two underscores for each dot: {variable} is {address}. An empty variable counts as not set."
    );
    let notify = "The socket of systemd. It gets READY=1 when the program is ready for the first time, STATUS=... at each change, and \
                  STOPPING=1 when the program begins to end.";
    section("ENVIRONMENT", &[(&format!("{prefix}__KEY"), &variable), ("NOTIFY_SOCKET", notify)]);
    section("EXIT STATUS", &EXIT_CODES);
    section("SIGNALS", &[("SIGTERM, SIGINT", "Ends the program in order. A second one ends it at once.")]);
    roff
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::settings::load::example::PROGRAM;
    use clap::Arg;

    fn example() -> Command {
        let shown = Command::new("health").about("Ask").arg(Arg::new("deep").long("deep"));
        Command::new("example").about("Serves").version("1").subcommand(shown).subcommand(Command::new("man").hide(true))
    }

    #[test]
    fn completions_are_for_the_name_of_the_file() {
        let name = called(&PROGRAM, Some("/usr/bin/switchboard-example".as_ref()));
        assert_eq!((&*name, &*called(&PROGRAM, None)), ("switchboard-example", "example"));
        for (shell, line) in [
            (Shell::Bash, " -o default switchboard-example\n"),
            (Shell::Zsh, "#compdef switchboard-example"),
            (Shell::Fish, "complete -c switchboard-example "),
        ] {
            let script = completions(shell, example(), &name);
            assert!(script.contains(line) && script.contains("deep"), "{script}");
        }
    }

    #[test]
    fn the_page_has_the_commands_and_what_the_command_line_does_not_say() {
        let page = page(&PROGRAM, example(), "switchboard-example").expect("written to memory");
        assert!(page.starts_with(&Roff::new().render()) && page.matches(".ie ").count() == 1, "{page}");
        let headings: Vec<_> = page.lines().filter(|line| line.starts_with(".SH ") || line.starts_with(".SS ")).collect();
        let expected = "NAME,SYNOPSIS,DESCRIPTION,OPTIONS,COMMANDS,health,SETTINGS,ENVIRONMENT,EXIT STATUS,SIGNALS";
        let found: Vec<_> = headings.iter().map(|line| line[4..].trim_matches('"')).collect();
        assert_eq!(found.join(","), expected, "{page}");
        for text in [
            ".TH SWITCHBOARD-EXAMPLE 1 ",
            "\\fBswitchboard\\-example\\fR",
            "X__HTTP__ADDRESS",
            "such as http.api_keys: a file",
            "\\-\\-deep",
        ] {
            assert!(page.contains(text), "{text} is not in {page}");
        }
    }
}
