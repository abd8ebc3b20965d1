//! Runs tasks and advances time, both only on request.

use super::wake_flag::WakeFlag;
use std::{
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};
use tokio::{runtime::Runtime, task::LocalSet, time::advance};

/// See the module.
pub(super) struct Engine<'a> {
    runtime: &'a Runtime,
    tasks: LocalSet,
    flag: Arc<WakeFlag>,
    waker: Waker,
}

/// A runtime whose time stands still.
pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

impl<'a> Engine<'a> {
    pub(super) fn new(runtime: &'a Runtime) -> Self {
        let flag = WakeFlag::new();
        Self { runtime, tasks: LocalSet::new(), waker: Waker::from(flag.clone()), flag }
    }

    /// Makes this runtime the one for spawning, sleeping and reading the time, as long as the result is held.
    pub(super) fn enter(&self) -> impl Sized + use<'a> {
        (self.runtime.enter(), self.tasks.enter())
    }

    /// Polls tasks that can make progress. Returns whether there were any.
    pub(super) fn turn(&mut self) -> bool {
        let any = self.flag.take();
        if any {
            let _ = Pin::new(&mut self.tasks).poll(&mut Context::from_waker(&self.waker));
        }
        any
    }

    /// Advances time.
    pub(super) fn pass(&mut self, time: Duration) {
        self.runtime.block_on(advance(time));
    }
}
