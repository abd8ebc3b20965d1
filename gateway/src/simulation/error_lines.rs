//! Collects what a run logs at ERROR. Each run is in one thread, and so is what it logs.

use std::{cell::RefCell, io, sync::LazyLock};
use tracing::{Dispatch, Level, dispatcher::with_default};

/// Writes ERROR lines into [`LINES`].
static DISPATCH: LazyLock<Dispatch> = LazyLock::new(|| {
    let lines = tracing_subscriber::fmt().with_max_level(Level::ERROR).without_time().with_ansi(false).with_writer(|| Writer);
    Dispatch::new(lines.finish())
});

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `run`, and returns the lines that it logged at ERROR, too.
pub(super) fn capture<T>(run: impl FnOnce() -> T) -> (T, Vec<String>) {
    LINES.take();
    let result = with_default(&DISPATCH, run);
    (result, String::from_utf8_lossy(&LINES.take()).lines().map(str::to_owned).collect())
}
