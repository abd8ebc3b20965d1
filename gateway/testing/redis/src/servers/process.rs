//! A process of `redis-server`.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    env,
    ffi::OsStr,
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// The first one that is installed is used.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
const REMEDY: &str = "redis-server is not installed: './justw setup' installs it, or apt-get install redis-server";

/// A process that ends when this is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it through a launcher such as `taskset -c 0`, which may be empty. What it writes goes to the end of `log`.
    pub(crate) fn start(launcher: &[String], arguments: &[String], directory: &Path, log: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log).expect("a log file");
        let server = program(&env::var_os("PATH").unwrap_or_default()).expect(REMEDY);
        let mut words = launcher.iter().map(AsRef::as_ref).chain([server.as_os_str()]);
        let mut command = Command::new(words.next().expect("there is the server at least"));
        command.args(words).args(arguments).current_dir(directory).stdin(Stdio::null()).stdout(log);
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}")))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("a process of our own").is_some()
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn end(mut self, patience: Duration) {
        let ended = async {
            while !self.has_ended() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(patience, ended).await.expect("redis-server ends when it is asked to");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.id().cast_signed()).expect("the id of a process");
        kill_process(id, signal).expect("a process of our own");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program of a server, in the folders of this `PATH`.
fn program(path: &OsStr) -> Option<PathBuf> {
    let installed = |program| env::split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_file());
    PROGRAMS.into_iter().find_map(installed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_is_taken_and_valkey_where_there_is_no_redis() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().as_os_str();
        assert_eq!(program(path), None);
        for name in ["valkey-server", "redis-server"] {
            std::fs::write(folder.path().join(name), "").expect("written");
            assert_eq!(program(path), Some(folder.path().join(name)));
        }
    }
}
