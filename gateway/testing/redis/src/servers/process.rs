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

/// Programs of servers. The first one that is installed is used.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
const REMEDY: &str = "redis-server is not installed: run './justw setup' or 'apt-get install redis-server'";

/// A process. It is killed when this value is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts the server with a launcher such as `taskset -c 0`, which may be empty. The process appends its output to the file `log`.
    pub(crate) fn start(launcher: &[String], arguments: &[String], directory: &Path, log: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log).expect("a log file");
        let server = program(&env::var_os("PATH").unwrap_or_default()).expect(REMEDY);
        let mut words = launcher.iter().map(AsRef::as_ref).chain([server.as_os_str()]);
        let mut command = Command::new(words.next().expect("the command line contains the program"));
        command.args(words).args(arguments).current_dir(directory).stdin(Stdio::null()).stdout(log);
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}")))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("a process of our own").is_some()
    }

    /// Waits until the process has ended without being killed. Panics after `patience`.
    pub(crate) async fn end(mut self, patience: Duration) {
        let ended = async {
            while !self.has_ended() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(patience, ended).await.expect("redis-server ends after SHUTDOWN");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.id().cast_signed()).expect("the id of a process");
        kill_process(id, signal).expect("a process of our own");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The path of the first installed server program in the folders of `path`, which has the form of `PATH`.
fn program(path: &OsStr) -> Option<PathBuf> {
    let installed = |program| env::split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_file());
    PROGRAMS.into_iter().find_map(installed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_is_used_and_valkey_only_if_redis_is_not_installed() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().as_os_str();
        assert_eq!(program(path), None);
        for name in ["valkey-server", "redis-server"] {
            std::fs::write(folder.path().join(name), "").expect("written");
            assert_eq!(program(path), Some(folder.path().join(name)));
        }
    }
}
