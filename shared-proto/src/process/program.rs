//! What distinguishes one program from another.

/// The properties of one program.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Name of the binary.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Version for `--version`.
    pub version: &'static str,
    /// Prefix of its environment variables, such as `CHATBOT` in `CHATBOT__HTTP__ADDRESS`.
    pub prefix: &'static str,
    /// The documented default settings in TOML. They contain every setting whose table has a fixed name.
    pub defaults: &'static str,
    /// The keys of all secrets. `*` stands for every name in a table, and for every index of a list.
    pub secrets: &'static [&'static str],
    /// The key of the address at which it serves `/readyz`.
    pub address: &'static str,
    /// A command that only this program has.
    pub own_command: Option<OwnCommand>,
}

/// A command of one program. It works on a file, and ends.
#[derive(Debug, Clone, Copy)]
pub struct OwnCommand {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
}
