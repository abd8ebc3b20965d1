//! Buffers that the connections of a worker thread share.
//!
//! A buffer is taken out for one use and put back, so that nothing is borrowed meanwhile. Whoever asks while it is out gets a new one.

use std::cell::Cell;

thread_local! {
    static READ: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static GATHER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's read buffer, at least `size` bytes long.
pub(super) fn with_read<R>(size: usize, use_it: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = READ.take();
    if buffer.len() < size {
        buffer.resize(size, 0);
    }
    let result = use_it(&mut buffer[..size]);
    READ.set(buffer);
    result
}

/// Lends the thread's empty buffer for what is gathered into one write.
pub(super) fn with_gather<R>(use_it: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = GATHER.take();
    buffer.clear();
    let result = use_it(&mut buffer);
    GATHER.set(buffer);
    result
}
