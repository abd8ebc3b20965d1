//! Copies an outbox that a notifier may be using.

use super::types::StoreError;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::fs::{OpenOptions, remove_file};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Limit of the time for which another process may keep the outbox locked.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// All pages in one step, so that the copy is the outbox of one moment. In WAL mode, that does not delay the writer.
const ALL_PAGES: std::ffi::c_int = -1;

/// Copies the outbox into a new file, which only its owner may read. The copy has what was accepted before it began. Blocks.
pub fn back_up(outbox: &Path, to: &Path) -> Result<(), StoreError> {
    let source = Connection::open_with_flags(outbox, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    source.busy_timeout(LOCK_TIMEOUT)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(|error| StoreError::Backup(to.to_owned(), error))?;
    copy(&source, to).inspect_err(|_| drop(remove_file(to)))
}

fn copy(source: &Connection, to: &Path) -> Result<(), StoreError> {
    let mut copy = Connection::open(to)?;
    let backup = Backup::new(source, &mut copy)?;
    match backup.step(ALL_PAGES)? {
        StepResult::Done => Ok(()),
        _ => Err(StoreError::Locked),
    }
}
