//! A connection's queue of outgoing frames, and its queue of notices from the hub. It reports an overflow; [`crate::hub::delivery`] and
//! `connection` decide what follows.

use super::batch::Batch;
use crate::hub::keys::ChannelKey;
use crate::telemetry::DropCause;
use gateway_core::model::{ChannelName, ServerCommand, Tick};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    task::Waker,
};

/// A queued batch.
#[derive(Debug)]
pub struct Frame {
    batch: Rc<Batch>,
    /// The channel whose live publications the frame carries. Under the policy [`gateway_core::channel::SlowConsumer::Latest`], newer ones may
    /// replace them. `None` for anything else.
    channel: Option<ChannelKey>,
    /// The memory that counts against the limit, in bytes.
    memory: usize,
    queued: Tick,
}

// A queue begins with four frames. The allocator is fastest with sizes that are powers of two.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Frame>() == 32);

impl Frame {
    fn new(batch: Rc<Batch>, channel: Option<ChannelKey>, queued: Tick) -> Self {
        // A growing queue may have twice the capacity that it needs.
        let memory = batch.memory() + 2 * size_of::<Self>();
        Self { batch, channel, memory, queued }
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        (*self.batch).as_ref()
    }
}

/// Largest number of notices in the queue. A connection that exceeds it is too slow.
const MAX_NOTICES: usize = 1024;

/// A message of the hub to a connection's task.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A command of a service or of the node.
    Server(ServerCommand),
    /// The connection is in the registry, so that services may receive its lifecycle events.
    Registered,
    /// The subscription to this channel is in the registry, so that services may learn of it.
    SubscriptionRegistered(ChannelName),
    /// Services that had no credit for lifecycle events may have some now.
    ReportPending,
    /// Publications of this channel are lost for the connection.
    PublicationsLost(ChannelName),
    /// A deadline may have passed.
    Tick,
    /// The budget of the worker for what clients have begun is spent, and this connection uses most of it.
    WorkBudgetSpent,
    /// The node drains its connections.
    Drain(Drain),
}

/// When a connection closes during a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// As soon as no operation of its session is in flight.
    WhenIdle,
    /// Immediately.
    Now,
}

/// The result of a write from the queue.
pub struct Written<R> {
    /// The writer's own result.
    pub result: R,
    /// Number of frames at the front of the queue that the writer has begun to send. They must stay.
    pub begun: usize,
}

/// The limit that an outbox has exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The connection's own limit.
    Connection,
    /// The limit of all connections of the worker.
    Worker,
}

/// Why an outbox refuses a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    /// A limit is exceeded.
    Full(Overflow),
    /// The connection is closing.
    Closed,
}

impl PushError {
    pub(crate) fn cause(self) -> DropCause {
        match self {
            Self::Full(Overflow::Connection) => DropCause::OutboxFull,
            Self::Full(Overflow::Worker) => DropCause::WorkerOutboxesFull,
            Self::Closed => DropCause::ConnectionClosed,
        }
    }
}

/// The outgoing frames and the notices of one connection. The connection's task and the hub each hold a reference.
pub struct Outbox {
    frames: RefCell<VecDeque<Frame>>,
    notices: RefCell<Vec<Notice>>,
    waker: Cell<Option<Waker>>,
    /// Memory of all queued frames, in bytes.
    memory: Cell<usize>,
    limit: usize,
    overflow: Cell<Option<Overflow>>,
    /// Whether a close frame is queued. Nothing may follow it (RFC 6455, section 5.5.1).
    closed: Cell<bool>,
    /// Number of frames at the front of the queue that a writer has begun to send.
    begun: Cell<usize>,
}

impl Outbox {
    /// Creates an outbox of at most `limit` bytes of memory. A shared batch counts in full. While the outbox [has room](Self::has_room), it takes
    /// one frame of any size, so that no frame is too large to be sent.
    pub fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self {
            frames: RefCell::default(),
            notices: RefCell::default(),
            waker: Cell::new(None),
            memory: Cell::new(0),
            limit,
            overflow: Cell::new(None),
            closed: Cell::new(false),
            begun: Cell::new(0),
        })
    }

    /// Memory of all queued frames, in bytes.
    pub fn memory(&self) -> usize {
        self.memory.get()
    }

    /// Whether the queued frames use at most half of the limit. Only then does the connection read history and take commands.
    pub fn has_room(&self) -> bool {
        self.memory.get() <= self.limit / 2
    }

    /// The exceeded limit, if there is one. The connection then has to close with 3008.
    pub fn overflow(&self) -> Option<Overflow> {
        self.overflow.get()
    }

    /// When the oldest queued frame was queued.
    pub fn oldest(&self) -> Option<Tick> {
        self.frames.borrow().front().map(|frame| frame.queued)
    }

    /// Queues a batch that belongs to no channel.
    pub fn push(&self, now: Tick, batch: Rc<Batch>) {
        let _ = self.push_history(now, batch);
    }

    /// Queues publications from history for this connection alone. Newer publications never replace them.
    pub(crate) fn push_history(&self, now: Tick, batch: Rc<Batch>) -> Result<(), PushError> {
        self.queue(now, batch, None)
    }

    /// Queues live publications of a channel. The caller handles an overflow.
    pub(crate) fn push_channel(&self, now: Tick, batch: Rc<Batch>, channel: ChannelKey) -> Result<(), PushError> {
        self.queue(now, batch, Some(channel))
    }

    fn queue(&self, now: Tick, batch: Rc<Batch>, channel: Option<ChannelKey>) -> Result<(), PushError> {
        if self.overflow.get().is_some() || self.closed.get() {
            return Err(PushError::Closed);
        }
        let frame = Frame::new(batch, channel, now);
        let memory = self.memory.get() + frame.memory;
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
            return Err(PushError::Full(overflow));
        }
        self.memory.set(memory);
        self.frames.borrow_mut().push_back(frame);
        Ok(())
    }

    /// Number of queued deliveries.
    pub(crate) fn deliveries(&self) -> usize {
        self.frames.borrow().iter().map(|frame| frame.batch.deliveries()).sum()
    }

    /// Drops the queued live publications of a channel to make room for newer ones. Keeps frames that are begun. Returns the number of dropped
    /// deliveries.
    pub(crate) fn drop_channel(&self, channel: ChannelKey) -> usize {
        let mut frames = self.frames.borrow_mut();
        let begun = self.begun.get();
        let (mut index, mut dropped) = (0, 0);
        frames.retain(|frame| {
            let keep = index < begun || frame.channel != Some(channel);
            index += 1;
            dropped += if keep { 0 } else { frame.batch.deliveries() };
            keep
        });
        self.count(&frames);
        dropped
    }

    /// Marks the connection as too slow.
    pub(crate) fn mark_overflowed(&self, overflow: Overflow) {
        if self.overflow.get().is_none() {
            self.overflow.set(Some(overflow));
        }
        self.wake();
    }

    /// Queues a close frame and drops all frames before it, except those that are begun. Returns the number of dropped deliveries.
    pub fn close_now(&self, now: Tick, close: Rc<Batch>) -> usize {
        let rest = self.frames.borrow_mut().split_off(self.begun.get());
        self.close(now, close);
        rest.iter().map(|frame| frame.batch.deliveries()).sum()
    }

    /// Queues a close frame behind all queued frames.
    pub fn close(&self, now: Tick, close: Rc<Batch>) {
        self.closed.set(true);
        let mut frames = self.frames.borrow_mut();
        frames.push_back(Frame::new(close, None, now));
        self.count(&frames);
    }

    /// Lends the queue to a writer, which removes the frames that it has sent completely.
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
        self.memory.set(frames.iter().map(|frame| frame.memory).sum());
    }

    /// Queues a notice and wakes the connection's task.
    pub(crate) fn notify(&self, notice: Notice) {
        let full = {
            let mut notices = self.notices.borrow_mut();
            let full = notices.len() >= MAX_NOTICES;
            if !full {
                notices.push(notice);
            }
            full
        };
        if full {
            self.mark_overflowed(Overflow::Connection);
        }
        self.wake();
    }

    /// Removes and returns all queued notices.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.notices.take()
    }

    /// Removes the waker, because the connection's task runs and checks both queues itself.
    pub fn clear_waker(&self) {
        self.waker.set(None);
    }

    /// Sets the waker that the next frame or notice wakes.
    pub fn register(&self, waker: &Waker) {
        self.waker.set(Some(waker.clone()));
    }

    /// Wakes the connection's task.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
