//! What runs tasks, and lets time pass; both only when told to.

use super::wake_flag::Flag;
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
    flag: Arc<Flag>,
    waker: Waker,
}

/// Its time stands still.
pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

impl<'a> Engine<'a> {
    pub(super) fn new(runtime: &'a Runtime) -> Self {
        let flag = Flag::new();
        Self { runtime, tasks: LocalSet::new(), waker: Waker::from(flag.clone()), flag }
    }

    /// Whoever spawns, sleeps or asks for the time does it here as long as this is held.
    pub(super) fn enter(&self) -> impl Sized + use<'a> {
        (self.runtime.enter(), self.tasks.enter())
    }

    /// Lets tasks go on that can. Answers whether any could.
    pub(super) fn turn(&mut self) -> bool {
        let any = self.flag.take();
        if any {
            let _ = Pin::new(&mut self.tasks).poll(&mut Context::from_waker(&self.waker));
        }
        any
    }

    /// Time passes.
    pub(super) fn pass(&mut self, time: Duration) {
        self.runtime.block_on(advance(time));
    }
}
