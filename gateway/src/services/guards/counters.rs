//! Questions by kind and result.

use shared_proto::guard;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionKind {
    /// May it connect?
    Connect,
    /// May it subscribe?
    Subscribe,
    /// May it publish?
    Publish,
}

impl QuestionKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Connect, Self::Subscribe, Self::Publish];

    /// Its value of the label `kind`.
    pub fn name(self) -> &'static str {
        let (_, name) = self.method().split_at(guard::PREFIX.len());
        name
    }

    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Connect => guard::CONNECT,
            Self::Subscribe => guard::SUBSCRIBE,
            Self::Publish => guard::PUBLISH,
        }
    }
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionResult {
    /// The service allows it.
    Allowed,
    /// The service refuses it.
    Refused,
    /// The service closes the connection.
    Disconnected,
    /// The answer was known, or came with the same question of another connection.
    Cached,
    /// No instance or target could be asked.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The answer was not valid.
    BadReply,
    /// The limit of questions in flight is reached, or the service is busy.
    Overloaded,
    /// The frontend left before the answer.
    Cancelled,
}

impl QuestionResult {
    /// All results.
    pub const ALL: [Self; 9] = [
        Self::Allowed,
        Self::Refused,
        Self::Disconnected,
        Self::Cached,
        Self::Unavailable,
        Self::Timeout,
        Self::BadReply,
        Self::Overloaded,
        Self::Cancelled,
    ];

    /// Its value of the label `result`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Disconnected => "disconnected",
            Self::Cached => "cached",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::BadReply => "bad_reply",
            Self::Overloaded => "overloaded",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The counters of all questions of a node.
#[derive(Debug, Default)]
pub struct GuardCounters {
    questions: [[AtomicU64; QuestionResult::ALL.len()]; QuestionKind::ALL.len()],
    bypassed: [AtomicU64; QuestionKind::ALL.len()],
}

impl GuardCounters {
    pub(super) fn add(&self, kind: QuestionKind, result: QuestionResult) {
        self.questions[kind as usize][result as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn add_bypassed(&self, kind: QuestionKind) {
        self.bypassed[kind as usize].fetch_add(1, Relaxed);
    }

    /// Questions of this kind that ended so.
    pub fn questions(&self, kind: QuestionKind, result: QuestionResult) -> u64 {
        self.questions[kind as usize][result as usize].load(Relaxed)
    }

    /// Commands that were carried out although their guard was away.
    pub fn bypassed(&self, kind: QuestionKind) -> u64 {
        self.bypassed[kind as usize].load(Relaxed)
    }
}

/// Counts one question when it is dropped: as cancelled, unless it has ended otherwise.
pub(super) struct Tally<'a> {
    counters: &'a GuardCounters,
    kind: QuestionKind,
    result: QuestionResult,
}

impl<'a> Tally<'a> {
    pub(super) fn new(counters: &'a GuardCounters, kind: QuestionKind) -> Self {
        Self { counters, kind, result: QuestionResult::Cancelled }
    }

    pub(super) fn end(mut self, result: QuestionResult) {
        self.result = result;
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.counters.add(self.kind, self.result);
    }
}
