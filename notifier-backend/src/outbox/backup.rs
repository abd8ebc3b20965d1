//! Copies an outbox that a notifier may be using.

use super::types::StoreError;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::ffi::OsString;
use std::fs::{OpenOptions, hard_link, remove_file};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file that exists, by its path.
const EXISTING: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// Limit of the time for which another process may keep the outbox locked.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// All pages in one step, so that the copy is the outbox of one moment. In WAL mode, that does not delay the writer.
const ALL_PAGES: std::ffi::c_int = -1;

/// Copies the outbox into a new file, which only its owner may read. The copy has what was accepted before it began. The file appears when
/// it is complete. Blocks.
pub fn back_up(outbox: &Path, to: &Path) -> Result<(), StoreError> {
    let source = Connection::open_with_flags(outbox, EXISTING)?;
    source.busy_timeout(LOCK_TIMEOUT)?;
    let part = PathBuf::from([to.as_os_str().to_owned(), ".part".into()].into_iter().collect::<OsString>());
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
    new.map_err(|error| StoreError::Backup(part.clone(), error))?;
    let copied = copy(&source, &part)
        // A rename would replace a file.
        .and_then(|()| hard_link(&part, to).map_err(|error| StoreError::Backup(to.to_owned(), error)));
    let _removed = remove_file(&part);
    copied
}

fn copy(source: &Connection, to: &Path) -> Result<(), StoreError> {
    // Without the flags of `open`, which creates files and reads `file:` as the begin of a URI.
    let mut copy = Connection::open_with_flags(to, EXISTING)?;
    let backup = Backup::new(source, &mut copy)?;
    match backup.step(ALL_PAGES)? {
        StepResult::Done => Ok(()),
        _ => Err(StoreError::Locked),
    }
}
