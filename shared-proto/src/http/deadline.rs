//! The time limits for a request's head and body.

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

    /// Ready when the time is over. If this process was suspended, the time starts again, because the rest may already wait in the kernel.
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

/// A part of a request did not arrive in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    Head,
    Body,
}

impl Late {
    /// The late part, if that is the error.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "the head of a request did not arrive in time",
            Self::Body => "the body of a request did not arrive in time",
        })
    }
}

impl std::error::Error for Late {}

impl From<Late> for io::Error {
    fn from(late: Late) -> Self {
        Self::new(io::ErrorKind::TimedOut, late)
    }
}
