//! Buffers shared by all connections of a worker thread.
//!
//! A caller takes a buffer and puts it back after use, so no borrow can conflict. A nested use gets a new buffer.

use std::cell::Cell;

thread_local! {
    static READ: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static GATHER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the read buffer of the thread, at least `size` bytes long.
pub(super) fn with_read<R>(size: usize, use_it: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = READ.take();
    if buffer.len() < size {
        buffer.resize(size, 0);
    }
    let result = use_it(&mut buffer[..size]);
    READ.set(buffer);
    result
}

/// Lends the empty buffer of the thread for writes that combine several frames.
pub(super) fn with_gather<R>(use_it: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = GATHER.take();
    buffer.clear();
    let result = use_it(&mut buffer);
    GATHER.set(buffer);
    result
}
