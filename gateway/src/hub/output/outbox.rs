//! What a connection has still to send, and what it has still to be told.

use super::batch::Batch;
use crate::hub::keys::SlotKey;
use crate::telemetry::DropCause;
use gateway_core::model::{ChannelName, Revocation, ServerCommand, Tick};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    task::Waker,
};

/// A queued batch.
#[derive(Debug)]
pub struct Frame {
    batch: Rc<Batch>,
    /// The channel whose publications it carries, for [`gateway_core::channel::SlowConsumer::Latest`]; none for anything else.
    channel: Option<SlotKey>,
    /// What it counts against the limit.
    memory: u32,
    queued: Tick,
}

impl Frame {
    fn new(batch: Rc<Batch>, channel: Option<SlotKey>, queued: Tick) -> Self {
        // The queue may be half empty.
        let memory = batch.memory() + 2 * size_of::<Self>();
        Self { batch, channel, memory: memory as u32, queued }
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        (*self.batch).as_ref()
    }
}

/// Notices that may wait until the connection's task runs; one that has more is too slow.
const NOTICES: usize = 1024;

/// What the hub tells a connection's task.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A service or the node wants something.
    Server(ServerCommand),
    /// A service had disconnected the user for good, and this connection may not have been told.
    Revoked(Arc<Revocation>),
    /// Other nodes know the connection: services may hear of it.
    RegisteredElsewhere,
    /// Services that had no room may have some by now.
    ReportAgain,
    /// A stream was lost in part.
    Lost(ChannelName),
    /// A deadline may have passed.
    Tick,
    /// The node stops.
    Leave(Leave),
}

/// When a connection leaves a node that stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// As soon as no operation of its session is in flight.
    WhenIdle,
    /// At once.
    Now,
}

/// What a writer did to the queue.
pub struct Written<R> {
    /// The writer's own answer.
    pub result: R,
    /// Whether it wrote part of the frame that is now the first.
    pub begun: bool,
}

/// Why nothing more is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The connection's own limit.
    Connection,
    /// The limit of all connections of the worker.
    Worker,
}

/// Why an outbox did not take a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no room.
    Full(Overflow),
    /// The connection is being closed.
    Ended,
}

impl Refused {
    pub(crate) fn cause(self) -> DropCause {
        match self {
            Self::Full(Overflow::Connection) => DropCause::OutboxFull,
            Self::Full(Overflow::Worker) => DropCause::WorkerOutboxesFull,
            Self::Ended => DropCause::ConnectionClosed,
        }
    }
}

/// The connection's task owns one reference, the hub the other.
pub struct Outbox {
    frames: RefCell<VecDeque<Frame>>,
    notices: RefCell<Vec<Notice>>,
    waker: Cell<Option<Waker>>,
    /// Memory of all frames.
    memory: Cell<usize>,
    limit: usize,
    overflow: Cell<Option<Overflow>>,
    /// A close is queued, which nothing may follow (RFC 6455, section 5.5.1).
    closed: Cell<bool>,
    /// Whether the first frame has been written in part.
    begun: Cell<bool>,
}

impl Outbox {
    /// An outbox that takes at most `limit` bytes of memory. A batch counts in full, whoever else holds it. While it
    /// [has room](Self::has_room) it takes one frame of any size, so that none is too large for good.
    pub fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self {
            frames: RefCell::default(),
            notices: RefCell::default(),
            waker: Cell::new(None),
            memory: Cell::new(0),
            limit,
            overflow: Cell::new(None),
            closed: Cell::new(false),
            begun: Cell::new(false),
        })
    }

    /// Memory of what waits, in bytes.
    pub fn memory(&self) -> usize {
        self.memory.get()
    }

    /// Whether no more than half of the limit waits: then reads of history may go on, and commands be taken.
    pub fn has_room(&self) -> bool {
        self.memory.get() <= self.limit / 2
    }

    /// The limit that was exceeded, if one was: the connection has to end with 3008.
    pub fn overflow(&self) -> Option<Overflow> {
        self.overflow.get()
    }

    /// When the oldest frame that waits was queued.
    pub fn oldest(&self) -> Option<Tick> {
        self.frames.borrow().front().map(|frame| frame.queued)
    }

    /// Queues a batch that belongs to no channel.
    pub fn push(&self, now: Tick, batch: Rc<Batch>) {
        let _ = self.push_read(now, batch);
    }

    /// Queues publications that were read for this connection alone: newer ones never take their place.
    pub(crate) fn push_read(&self, now: Tick, batch: Rc<Batch>) -> Result<(), Refused> {
        self.queue(now, batch, None)
    }

    /// Queues publications of a channel. What follows where there is no room is left to the caller.
    pub(crate) fn push_channel(&self, now: Tick, batch: Rc<Batch>, channel: SlotKey) -> Result<(), Refused> {
        self.queue(now, batch, Some(channel))
    }

    fn queue(&self, now: Tick, batch: Rc<Batch>, channel: Option<SlotKey>) -> Result<(), Refused> {
        if self.overflow.get().is_some() || self.closed.get() {
            return Err(Refused::Ended);
        }
        let frame = Frame::new(batch, channel, now);
        let memory = self.memory.get() + frame.memory as usize;
        let overflow = if memory > self.limit && !self.has_room() {
            Some(Overflow::Connection)
        } else if frame.batch.over_budget() && self.memory.get() > 0 {
            Some(Overflow::Worker)
        } else {
            None
        };
        self.wake();
        if let Some(overflow) = overflow {
            if channel.is_none() {
                self.overflow.set(Some(overflow));
            }
            return Err(Refused::Full(overflow));
        }
        self.memory.set(memory);
        self.frames.borrow_mut().push_back(frame);
        Ok(())
    }

    /// Deliveries that wait.
    pub(crate) fn deliveries(&self) -> usize {
        self.frames.borrow().iter().map(|frame| frame.batch.deliveries()).sum()
    }

    /// Drops everything of a channel that is not being written, to make room for what is newer. Answers how many deliveries went.
    pub(crate) fn drop_channel(&self, channel: SlotKey) -> usize {
        let mut frames = self.frames.borrow_mut();
        let begun = self.begun.get();
        let (mut index, mut dropped) = (0, 0);
        frames.retain(|frame| {
            let keep = (index == 0 && begun) || frame.channel != Some(channel);
            index += 1;
            dropped += if keep { 0 } else { frame.batch.deliveries() };
            keep
        });
        self.count(&frames);
        dropped
    }

    /// Marks the connection as too slow.
    pub(crate) fn fail(&self, overflow: Overflow) {
        if self.overflow.get().is_none() {
            self.overflow.set(Some(overflow));
        }
        self.wake();
    }

    /// Drops every frame that has not begun, and ends with this one: a close. Answers how many deliveries went.
    pub fn finish(&self, now: Tick, close: Rc<Batch>) -> usize {
        let rest = self.frames.borrow_mut().split_off(usize::from(self.begun.get()));
        self.close(now, close);
        rest.iter().map(|frame| frame.batch.deliveries()).sum()
    }

    /// Appends a close behind everything that waits.
    pub fn close(&self, now: Tick, close: Rc<Batch>) {
        self.closed.set(true);
        let mut frames = self.frames.borrow_mut();
        frames.push_back(Frame::new(close, None, now));
        self.count(&frames);
    }

    /// Lends the queue to a writer, which removes the frames that it has written whole.
    pub fn write<R>(&self, write: impl FnOnce(&mut VecDeque<Frame>) -> Written<R>) -> R {
        let mut frames = self.frames.borrow_mut();
        let written = write(&mut frames);
        self.count(&frames);
        self.begun.set(written.begun);
        if frames.is_empty() && frames.capacity() > 0 {
            *frames = VecDeque::new();
        }
        written.result
    }

    fn count(&self, frames: &VecDeque<Frame>) {
        self.memory.set(frames.iter().map(|frame| frame.memory as usize).sum());
    }

    /// Tells the connection something.
    pub(crate) fn notify(&self, notice: Notice) {
        let full = {
            let mut notices = self.notices.borrow_mut();
            let full = notices.len() >= NOTICES;
            if !full {
                notices.push(notice);
            }
            full
        };
        if full {
            self.fail(Overflow::Connection);
        }
        self.wake();
    }

    /// All notices that wait.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.notices.take()
    }

    /// The connection's task runs, and will see for itself what is queued meanwhile.
    pub fn clear_waker(&self) {
        self.waker.set(None);
    }

    /// The connection's task waits, and is to be woken when something is queued.
    pub fn register(&self, waker: &Waker) {
        self.waker.set(Some(waker.clone()));
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
