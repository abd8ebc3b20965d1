//! The time that a request's head has to come.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// A timer that is noticed so much too late tells that this process stood still, not that the client is slow.
const STANDSTILL: Duration = Duration::from_secs(1);

/// A timer that is set with the first poll.
pub(super) struct Deadline {
    allowed: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    pub(super) fn new(allowed: Duration) -> Self {
        Self { allowed, timer: None }
    }

    pub(super) fn clear(&mut self) {
        self.timer = None;
    }

    /// Ready when the time is over. After a pause of this process, a client gets the whole time again: its bytes may not be read yet.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let allowed = self.allowed;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(allowed)));
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now.duration_since(timer.deadline()) < STANDSTILL {
                return Poll::Ready(());
            }
            timer.as_mut().reset(now + allowed);
        }
        Poll::Pending
    }
}

/// The head of a request did not come in time.
#[derive(Debug)]
pub(super) struct HeadTimeout;

impl HeadTimeout {
    /// Whether `error` is one.
    pub(super) fn is(error: &io::Error) -> bool {
        matches!(error.get_ref(), Some(inner) if inner.is::<Self>())
    }
}

impl fmt::Display for HeadTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the head of a request did not come in time")
    }
}

impl std::error::Error for HeadTimeout {}

impl From<HeadTimeout> for io::Error {
    fn from(timeout: HeadTimeout) -> Self {
        Self::new(io::ErrorKind::TimedOut, timeout)
    }
}
