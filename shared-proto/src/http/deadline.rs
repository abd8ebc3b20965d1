//! The time limit for a request's head.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// If a timer fires this much too late, this process was suspended: the client is not the cause.
const SUSPENSION_DELAY: Duration = Duration::from_secs(1);

/// A deadline whose time starts with the first poll.
pub(super) struct Deadline {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    /// Stops the time. The next poll starts it again.
    pub(super) fn clear(&mut self) {
        self.timer = None;
    }

    /// Ready when the time is over. If this process was suspended, the time starts again, because the head may already wait in the kernel.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now.duration_since(timer.deadline()) < SUSPENSION_DELAY {
                return Poll::Ready(());
            }
            timer.as_mut().reset(now + limit);
        }
        Poll::Pending
    }
}

/// The head of a request did not arrive in time.
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
        f.write_str("the head of a request did not arrive in time")
    }
}

impl std::error::Error for HeadTimeout {}

impl From<HeadTimeout> for io::Error {
    fn from(timeout: HeadTimeout) -> Self {
        Self::new(io::ErrorKind::TimedOut, timeout)
    }
}
