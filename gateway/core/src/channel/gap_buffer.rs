//! The buffer for publications that arrive while the range before them is read from the stream.

use crate::model::{Position, Publication};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

// NL-4.4
/// The bytes that all gap buffers of a node may use together.
#[derive(Debug)]
pub struct GapBufferBudget {
    limit: usize,
    used: AtomicUsize,
    dropped: AtomicU64,
}

impl GapBufferBudget {
    /// A budget of `limit` bytes, measured by [`Publication::size`].
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), dropped: AtomicU64::new(0) })
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Publications that were not buffered or were dropped from a buffer, since the start. Each of them is read from the stream instead.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|after| *after <= self.limit);
        self.used.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }
}

/// The gap buffer of one feed, and what the feed still has to read.
#[derive(Debug)]
pub(super) struct GapBuffer {
    budget: Arc<GapBufferBudget>,
    bytes: usize,
    publications: VecDeque<Arc<Publication>>,
    pull_mode: bool,
    /// The stream has to be read at least up to this position: it was observed there, or a publication at this position was dropped.
    read_until: Option<Position>,
    /// Another read has to follow: something was lost after the current read had begun.
    read_again: bool,
}

impl GapBuffer {
    pub(super) fn new(budget: &Arc<GapBufferBudget>) -> Self {
        Self { budget: budget.clone(), bytes: 0, publications: VecDeque::new(), pull_mode: false, read_until: None, read_again: false }
    }

    /// Buffers a publication, or notes that it has to be read from the stream. If the budget is used up, the whole buffer is dropped: the
    /// publications before this one must be read anyway.
    pub(super) fn push(&mut self, publication: &Arc<Publication>) {
        let bytes = publication.size();
        if !self.pull_mode && self.budget.take(bytes) {
            self.bytes += bytes;
            self.publications.push_back(publication.clone());
            return;
        }
        self.drop_all();
        self.drop_one(publication);
    }

    fn drop_one(&mut self, publication: &Publication) {
        self.budget.dropped.fetch_add(1, Relaxed);
        if let Some(at) = publication.position {
            self.require_read_until(at);
        }
    }

    /// From now on nothing is buffered: every publication is read from the stream.
    pub(super) fn enter_pull_mode(&mut self) {
        self.pull_mode = true;
        self.drop_all();
    }

    pub(super) fn is_in_pull_mode(&self) -> bool {
        self.pull_mode
    }

    pub(super) fn require_read_until(&mut self, at: Position) {
        match &mut self.read_until {
            Some(until) if until.epoch == at.epoch => until.offset = until.offset.max(at.offset),
            // Epochs have no order. Only another read tells which of the two is current.
            Some(_) => self.read_again = true,
            None => self.read_until = Some(at),
        }
    }

    pub(super) fn require_another_read(&mut self) {
        self.read_again = true;
    }

    /// Whether another read is required, and up to which position. Resets both.
    pub(super) fn take_required_reads(&mut self) -> (bool, Option<Position>) {
        (std::mem::take(&mut self.read_again), self.read_until.take())
    }

    /// The buffered publications in the order of their arrival.
    pub(super) fn take(&mut self) -> VecDeque<Arc<Publication>> {
        self.release_bytes();
        std::mem::take(&mut self.publications)
    }

    fn drop_all(&mut self) {
        for publication in self.take() {
            self.drop_one(&publication);
        }
    }

    fn release_bytes(&mut self) {
        self.budget.used.fetch_sub(std::mem::take(&mut self.bytes), Relaxed);
    }
}

impl Drop for GapBuffer {
    fn drop(&mut self) {
        self.release_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Data, Epoch, Tags};

    fn publication(offset: u64) -> Arc<Publication> {
        let position = Some(Position { epoch: Epoch::parse("epoch001").expect("valid"), offset });
        Arc::new(Publication { position, content: Data::null().into(), tags: Tags::new(), info: None, time_ms: 0, traceparent: None })
    }

    // NL-4.4
    #[test]
    fn all_buffers_share_the_budget_and_release_it() {
        let size = publication(1).size();
        let budget = GapBufferBudget::new(3 * size);
        let (mut first, mut second) = (GapBuffer::new(&budget), GapBuffer::new(&budget));
        first.push(&publication(1));
        second.push(&publication(1));
        second.push(&publication(2));
        assert_eq!((budget.used(), budget.dropped()), (3 * size, 0));
        first.push(&publication(2));
        assert_eq!((budget.used(), budget.dropped()), (2 * size, 2), "the first buffer is dropped, with the publication that did not fit");
        assert_eq!(first.take_required_reads(), (false, publication(2).position));
        first.push(&publication(3));
        assert_eq!(first.take().len(), 1, "the budget has room again");
        drop(second);
        assert_eq!((budget.used(), budget.dropped()), (0, 2));
    }

    #[test]
    fn in_pull_mode_nothing_is_buffered() {
        let budget = GapBufferBudget::new(1 << 20);
        let mut buffer = GapBuffer::new(&budget);
        buffer.push(&publication(1));
        buffer.enter_pull_mode();
        buffer.push(&publication(2));
        assert_eq!((buffer.take().len(), budget.used(), budget.dropped()), (0, 0, 2));
        assert_eq!(buffer.take_required_reads(), (false, publication(2).position));
    }
}
