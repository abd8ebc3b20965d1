//! Counts the instructions of a process in user space with callgrind of valgrind. Other load on the machine does not change the count.

use crate::result::Result;
use std::{
    cell::Cell,
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The files into which callgrind dumps its counts.
pub(crate) struct Callgrind {
    file: PathBuf,
    dumps: Cell<u32>,
}

impl Callgrind {
    pub(crate) fn new() -> Self {
        let file = env::temp_dir().join(format!("bench-callgrind.{}", std::process::id()));
        Self { file, dumps: Cell::new(0) }
    }

    /// The words in front of a program that run it in callgrind.
    pub(crate) fn launcher(&self) -> [String; 3] {
        ["valgrind".into(), "--tool=callgrind".into(), format!("--callgrind-out-file={}", self.file.display())]
    }

    /// The instructions that the process has executed since the last call, or since its start.
    pub(crate) fn instructions(&self, process: u32) -> Result<u64> {
        let mut control = Command::new("callgrind_control");
        let status = control.args(["--dump", &process.to_string()]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if !status.success() {
            return Err(format!("callgrind_control: {status}").into());
        }
        self.dumps.set(self.dumps.get() + 1);
        let dump = PathBuf::from(format!("{}.{}", self.file.display(), self.dumps.get()));
        let text = fs::read_to_string(&dump).map_err(|error| format!("{}: {error}", dump.display()))?;
        fs::remove_file(&dump)?;
        let total = text.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("the dump of callgrind has no totals")?;
        Ok(total.trim().parse()?)
    }
}
